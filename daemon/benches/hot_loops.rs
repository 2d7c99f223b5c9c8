//! The loops that every byte, line or entry goes through: `cargo bench -p esxftpd`.

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use divan::{
    Bencher,
    counter::{BytesCount, ItemsCount},
};
use esxftpd::storage::{long_lines, zeros};
use protocol::{
    Action, Protocol, Settings, Times,
    request::{FactSet, Facts, Kind, Permissions, Timestamp},
    virtual_path::VirtualPath,
    wire::{
        facts_line::{Place, facts_line},
        name, time_val,
    },
};

/// As the daemon reads from a data connection.
const BLOCK_BYTES: usize = 1 << 20;
/// Lines that come in one piece.
const LINES: usize = 100;

/// Names of files.
#[derive(Debug, Clone, Copy)]
enum Name {
    Plain,
    /// With a line end, a byte that is not UTF-8, and characters that are.
    Odd,
}

impl Name {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Plain => b"Windows Server 2022 (64-bit)-000001-sesparse.vmdk",
            Self::Odd => b"Sicherung f\xc3\xbcr M\xe4rz\n2026.vmdk",
        }
    }
}

fn main() {
    divan::main();
}

#[divan::bench]
fn zeros_of_a_block(bencher: Bencher<'_, '_>) {
    let block = vec![0; BLOCK_BYTES];
    bencher
        .counter(BytesCount::new(BLOCK_BYTES))
        .bench_local(|| zeros::is_zero(black_box(&block)));
}

/// One piece in twenty has data, as in a thin disk.
#[divan::bench]
fn data_in_a_thin_block(bencher: Bencher<'_, '_>) {
    let mut block = vec![0_u8; BLOCK_BYTES];
    for piece in block.chunks_mut(zeros::HOLE_BYTES).step_by(20) {
        piece.fill(1);
    }
    bencher
        .counter(BytesCount::new(BLOCK_BYTES))
        .bench_local(|| zeros::data_in(0, black_box(&block)).count());
}

/// No zeros at all, which is what most uploads are.
#[divan::bench]
fn data_in_a_full_block(bencher: Bencher<'_, '_>) {
    let block = vec![1; BLOCK_BYTES];
    bencher
        .counter(BytesCount::new(BLOCK_BYTES))
        .bench_local(|| zeros::data_in(0, black_box(&block)).count());
}

/// Lines are read, parsed and answered.
#[divan::bench(args = ["NOOP", "OPTS UTF8 ON", "MDTM 20261121081705 /datastore1/vm/vm.vmdk", "FEAT"])]
fn command(bencher: Bencher<'_, '_>, line: &str) {
    let lines = format!("{line}\r\n").repeat(LINES);
    let now = Instant::now();
    bencher
        .counter(ItemsCount::new(LINES))
        .with_inputs(|| {
            let mut protocol = Protocol::new(settings(), now);
            drain(&mut protocol);
            protocol
        })
        .bench_local_values(|mut protocol| {
            protocol.from_client(black_box(lines.as_bytes()), now);
            drain(&mut protocol)
        });
}

#[divan::bench(args = [Name::Plain, Name::Odd])]
fn encode_name(name: Name) -> usize {
    name::encode(black_box(name.bytes())).len()
}

#[divan::bench(args = [Name::Plain, Name::Odd])]
fn decode_name(bencher: Bencher<'_, '_>, name: Name) {
    let sent = name::encode(name.bytes()).into_owned();
    bencher.bench_local(|| name::decode(black_box(sent.as_bytes())).len());
}

#[divan::bench(args = ["vm.vmdk", "/vmfs/volumes/datastore1/vm/vm-flat.vmdk", "../../a/./b//../c"])]
fn normal_path(bencher: Bencher<'_, '_>, argument: &str) {
    let directory = VirtualPath::root().join(b"datastore1/machines/vm");
    let directory = directory.unwrap_or_else(|_| VirtualPath::root());
    bencher.bench_local(|| directory.join(black_box(argument.as_bytes())));
}

#[divan::bench]
fn time_of_an_entry() -> Option<String> {
    time_val::format(black_box(TIME))
}

#[divan::bench(args = [Name::Plain, Name::Odd])]
fn line_of_mlsd(name: Name) -> String {
    facts_line(
        black_box(&facts()),
        FactSet::ALL,
        Place::Entry,
        black_box(name.bytes()),
    )
}

#[divan::bench(args = [Name::Plain, Name::Odd])]
fn line_of_list(bencher: Bencher<'_, '_>, name: Name) {
    let mut line = long_lines(TIME.seconds);
    bencher.bench_local(move || line(black_box(&facts()), black_box(name.bytes())));
}

const TIME: Timestamp = Timestamp {
    seconds: 1_795_249_025,
    nanoseconds: 123_000_000,
};

fn facts() -> Facts {
    Facts {
        kind: Kind::File,
        size: Some(42_949_672_960),
        modified: Some(TIME),
        created: None,
        mode: 0o600,
        owner: 0,
        group: 0,
        links: 1,
        unique: (0x3a, 1_234_567_890),
        permissions: Permissions {
            append: true,
            delete: true,
            rename: true,
            retrieve: true,
            write: true,
            ..Permissions::default()
        },
    }
}

fn settings() -> Settings {
    let time = Duration::from_mins(5);
    Settings {
        greeting: "Service ready.".to_owned(),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        local: IpAddr::V4(Ipv4Addr::LOCALHOST),
        passive_host: None,
        active: false,
        ascii: false,
        tls: None,
        implicit_tls: false,
        times: Times {
            log_in: time,
            idle: time,
            data_connection: time,
            handshake: time,
            stall: time,
            answer: time,
        },
        log_in_attempts: 3,
        trace: false,
    }
}

/// Bytes of the replies.
fn drain(protocol: &mut Protocol) -> usize {
    let mut bytes = 0;
    while let Some(action) = protocol.poll() {
        if let Action::Send(reply) = action {
            bytes += reply.len();
        }
    }
    bytes
}
