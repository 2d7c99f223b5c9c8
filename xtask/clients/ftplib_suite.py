"""Drives an FTP server with Python's ftplib and prints one line per case: `case TAB ok|not offered|failed TAB detail`.

The password comes as one line on the standard input. Everything happens in a new directory on the server, which is
removed at the end. The exit code says only whether the script itself worked.
"""

from __future__ import annotations

import argparse
import filecmp
import ftplib
import sys
from collections.abc import Callable
from pathlib import Path

TIMEOUT_SECONDS = 20
BLOCK = 1 << 20
NOT_IMPLEMENTED = ("500", "502")


class NotOffered(Exception):
    """The server does not know this optional command."""


class Opening(ftplib.FTP):
    """A client of ftplib, which can be told how to open data connections and remembers how it did."""

    extended = False
    opened_with = ""

    def makepasv(self) -> tuple[str, int]:
        self.opened_with = "EPSV" if self.extended else "PASV"
        if not self.extended:
            return super().makepasv()
        return ftplib.parse229(self.sendcmd("EPSV"), self.sock.getpeername())


class Plain(Opening):
    """Without encryption."""


class Encrypted(Opening, ftplib.FTP_TLS):
    """TLS on the control connection, and on each data connection after PROT P. The certificate is not looked at."""


class Suite:
    """The cases, in a directory of their own; each returns if it passed and raises otherwise."""

    def __init__(self, ftp: Opening, name: str, work: Path, samples: list[Path]) -> None:
        self.ftp = ftp
        self.name = name
        self.work = work
        self.big, self.empty, self.accented, self.half = samples
        self.whole = [self.big, self.empty, self.accented]
        self.names = [sample.name for sample in self.whole]

    def cases(self) -> list[tuple[str, Callable[[], None]]]:
        round_trips = [
            (f"STOR, RETR {sample.name}", lambda sample=sample: self.round_trip(sample)) for sample in self.whole
        ]
        return [
            *round_trips,
            ("LIST", lambda: self.expect_names(self.listed())),
            ("NLST", lambda: self.expect_names(self.ftp.nlst())),
            ("MLSD", self.mlsd),
            ("SIZE", self.size),
            ("EPSV", lambda: self.passive(extended=True)),
            ("PASV", lambda: self.passive(extended=False)),
            ("REST, RETR", self.resume_download),
            ("REST, STOR", lambda: self.resume_upload("STOR", rest=self.half.stat().st_size)),
            ("APPE", lambda: self.resume_upload("APPE", rest=None)),
            ("550, session lives on", self.missing),
            ("RNFR, RNTO", self.rename),
            ("DELE", self.delete),
            ("RMD", self.remove_directory),
        ]

    def make_directory(self) -> None:
        self.ftp.mkd(self.name)
        self.ftp.cwd(self.name)
        expect(self.listed() == [], "the new directory is not empty")

    def round_trip(self, sample: Path) -> None:
        with sample.open("rb") as file:
            self.ftp.storbinary(f"STOR {sample.name}", file, BLOCK)
        self.expect_content(sample.name, sample)

    def expect_content(self, name: str, expected: Path) -> None:
        local = self.work / "downloaded"
        with local.open("wb") as file:
            self.ftp.retrbinary(f"RETR {name}", file.write, BLOCK)
        expect_same(local, expected)

    def listed(self) -> list[str]:
        lines: list[str] = []
        self.ftp.retrlines("LIST", lines.append)
        return [line.split(maxsplit=8)[8] for line in lines if not line.startswith("total ")]

    def expect_names(self, found: list[str], expected: list[str] | None = None) -> None:
        wanted = sorted(self.names if expected is None else expected)
        expect(sorted(found) == wanted, f"listed {sorted(found)} instead of {wanted}")

    def mlsd(self) -> None:
        try:
            entries = list(self.ftp.mlsd())
        except ftplib.error_perm as error:
            if str(error).startswith(NOT_IMPLEMENTED):
                raise NotOffered from error
            raise
        self.expect_names([name for name, facts in entries if facts.get("type") not in ("cdir", "pdir")])

    def size(self) -> None:
        self.ftp.voidcmd("TYPE I")
        for sample in self.whole:
            size = self.ftp.size(sample.name)
            expect(size == sample.stat().st_size, f"{sample.name}: {size} instead of {sample.stat().st_size} bytes")

    def passive(self, extended: bool) -> None:
        self.ftp.extended = extended
        try:
            self.expect_content(self.accented.name, self.accented)
        finally:
            self.ftp.extended = False
        expect(self.ftp.opened_with == ("EPSV" if extended else "PASV"), f"used {self.ftp.opened_with}")

    def resume_download(self) -> None:
        local = self.work / "resumed"
        local.write_bytes(self.half.read_bytes())
        with local.open("ab") as file:
            self.ftp.retrbinary(f"RETR {self.big.name}", file.write, BLOCK, rest=self.half.stat().st_size)
        expect_same(local, self.big)

    def resume_upload(self, verb: str, rest: int | None) -> None:
        name = "resumed.bin"
        with self.half.open("rb") as file:
            self.ftp.storbinary(f"STOR {name}", file, BLOCK)
        with self.big.open("rb") as file:
            file.seek(self.half.stat().st_size)
            self.ftp.storbinary(f"{verb} {name}", file, BLOCK, rest=rest)
        self.expect_content(name, self.big)
        self.ftp.delete(name)

    def missing(self) -> None:
        try:
            self.ftp.retrbinary("RETR no-such-file", lambda _: None)
        except ftplib.error_perm as error:
            expect(str(error).startswith("550"), f"a missing file was answered with {error}")
        else:
            raise AssertionError("a missing file was sent")
        self.expect_content(self.accented.name, self.accented)

    def rename(self) -> None:
        renamed = "renamed ä.bin"
        self.ftp.rename(self.accented.name, renamed)
        self.expect_names(self.listed(), [self.big.name, self.empty.name, renamed])
        self.expect_content(renamed, self.accented)
        self.ftp.rename(renamed, self.accented.name)

    def delete(self) -> None:
        for name in self.names:
            self.ftp.delete(name)
        expect(self.listed() == [], f"left after DELE: {self.listed()}")

    def remove_directory(self) -> None:
        self.ftp.cwd("..")
        self.ftp.rmd(self.name)
        expect(self.name not in self.ftp.nlst(), "the directory is still there")


def expect(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def expect_same(found: Path, expected: Path) -> None:
    same = filecmp.cmp(found, expected, shallow=False)
    expect(same, f"the content differs ({found.stat().st_size} of {expected.stat().st_size} bytes)")


def run_case(case: str, check: Callable[[], None]) -> bool:
    word, detail = "ok", ""
    try:
        check()
    except NotOffered:
        word = "not offered"
    except Exception as error:  # any exception of ftplib, of the network or of a check is this case's result
        word, detail = "failed", f"{type(error).__name__}: {error}"
    print(case, word, " ".join(detail.split()), sep="\t", flush=True)
    return word != "failed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--directory", default="")
    parser.add_argument("--tls", action="store_true", help="protect control and data connections with TLS")
    parser.add_argument("--name", required=True, help="of the directory to create on the server")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("samples", type=Path, nargs=4, help="a big file, an empty one, an accented one, half the big one")
    options = parser.parse_args()
    password = sys.stdin.readline().removesuffix("\n")

    client = Encrypted if options.tls else Plain
    with client(timeout=TIMEOUT_SECONDS, encoding="utf-8") as ftp:

        def login() -> None:
            ftp.connect(options.host, options.port)
            ftp.login(options.user, password)
            if isinstance(ftp, Encrypted):
                ftp.prot_p()
            if options.directory:
                ftp.cwd(options.directory)

        suite = Suite(ftp, options.name, options.work, options.samples)
        # The cases delete files, so they must not run in a directory that is not their own.
        if run_case("USER, PASS", login) and run_case("MKD, CWD", suite.make_directory):
            for case, check in suite.cases():
                run_case(case, check)


if __name__ == "__main__":
    main()
