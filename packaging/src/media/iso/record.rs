//! Records of directories (ECMA-119, 9.1), and the fields of Rock Ridge in them.

/// Bytes of a record in front of its name.
const FIXED: usize = 33;

/// A number in both byte orders.
pub(super) fn both32(number: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The number at a place, if both byte orders say the same.
pub(super) fn read_both32(bytes: &[u8], place: usize) -> Option<u32> {
    let little = u32::from_le_bytes(bytes.get(place..place + 4)?.try_into().ok()?);
    let big = u32::from_be_bytes(bytes.get(place + 4..place + 8)?.try_into().ok()?);
    (little == big).then_some(little)
}

/// A record, as it stands in its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record(Vec<u8>);

impl Record {
    /// A record at the start of `bytes`; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let length = usize::from(*bytes.first()?);
        let record = Self(bytes.get(..length)?.to_vec());
        let name = usize::from(*record.0.get(32)?);
        let sound = length > FIXED
            && length % 2 == 0
            && name > 0
            && FIXED + name <= length
            && read_both32(&record.0, 2).is_some()
            && read_both32(&record.0, 10).is_some();
        sound.then_some(record)
    }

    /// A record for a new file, with the date of another one.
    pub(super) fn new(name: &[u8], like: &Self, sector: u32, length: u32, system: &[u8]) -> Self {
        let mut bytes = vec![0; FIXED];
        bytes[18..25].copy_from_slice(like.0.get(18..25).unwrap_or(&[0; 7]));
        // Number of the volume in a set of one.
        bytes[28..32].copy_from_slice(&[1, 0, 0, 1]);
        bytes[32] = u8::try_from(name.len()).unwrap_or(u8::MAX);
        bytes.extend_from_slice(name);
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        bytes.extend_from_slice(system);
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        bytes[0] = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        let mut record = Self(bytes);
        record.place(sector, length);
        record
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its name, with the version.
    pub(super) fn name(&self) -> &[u8] {
        let length = usize::from(self.0.get(32).copied().unwrap_or(0));
        self.0.get(FIXED..FIXED + length).unwrap_or_default()
    }

    /// Whether it is the directory itself or the one above.
    pub(super) fn is_dot(&self) -> bool {
        matches!(self.name(), [0 | 1])
    }

    pub(super) fn sector(&self) -> u32 {
        read_both32(&self.0, 2).unwrap_or(0)
    }

    pub(super) fn length(&self) -> u32 {
        read_both32(&self.0, 10).unwrap_or(0)
    }

    pub(super) fn is_directory(&self) -> bool {
        self.flags() & 2 != 0
    }

    /// Whether the file is one extent, without records of its own, interleaving or attributes.
    pub(super) fn is_plain(&self) -> bool {
        self.flags() & !3 == 0 && self.0.get(26..28) == Some(&[0, 0]) && self.0.get(1) == Some(&0)
    }

    fn flags(&self) -> u8 {
        self.0.get(25).copied().unwrap_or(0)
    }

    /// Gives it another place and length.
    pub(super) fn place(&mut self, sector: u32, length: u32) {
        if let Some(field) = self.0.get_mut(2..10) {
            field.copy_from_slice(&both32(sector));
        }
        if let Some(field) = self.0.get_mut(10..18) {
            field.copy_from_slice(&both32(length));
        }
    }

    /// What stands behind the name: fields of Rock Ridge, if anything.
    pub(super) fn system_use(&self) -> &[u8] {
        let end = FIXED + self.name().len();
        self.0.get(end.next_multiple_of(2)..).unwrap_or_default()
    }

    /// Fields of Rock Ridge: their signature and all bytes of each.
    pub(super) fn fields(&self) -> Vec<(&[u8], &[u8])> {
        let mut rest = self.system_use();
        let mut fields = Vec::new();
        while let Some(length) = rest.get(2).map(|length| usize::from(*length)) {
            let Some(field) = rest.get(..length).filter(|_| length >= 4) else {
                break;
            };
            fields.push((field.get(..2).unwrap_or_default(), field));
            rest = rest.get(length..).unwrap_or_default();
        }
        fields
    }

    /// Where the fields go on that have no room here: sector, offset and length.
    pub(super) fn continuation(&self) -> Option<(u32, u32)> {
        let fields = self.fields();
        let (_, field) = fields.iter().find(|(signature, _)| signature == b"CE")?;
        Some((read_both32(field, 4)?, read_both32(field, 20)?))
    }

    /// Names are compared as the standard sorts them: without their versions.
    pub(super) fn sort_key(name: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let name = name.split(|byte| *byte == b';').next().unwrap_or(name);
        let dot = name.iter().position(|byte| *byte == b'.');
        let (stem, end) = name.split_at(dot.unwrap_or(name.len()));
        (stem.to_vec(), end.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_record_is_read_as_it_was_made() {
        let dot = Record::new(&[0], &Record(vec![0; 34]), 20, 2048, b"");
        let record = Record::new(b"A.T00;1", &dot, 7, 9, b"PX\x05\x01z");
        let read = Record::read(record.bytes()).unwrap();
        assert_eq!((read.sector(), read.length()), (7, 9));
        assert_eq!(read.name(), b"A.T00;1");
        assert!(read.is_plain() && !read.is_directory() && !read.is_dot());
        assert_eq!(read.fields(), [(&b"PX"[..], &b"PX\x05\x01z"[..])]);
        assert!(Record::read(&record.bytes()[..30]).is_none());
        for length in [0, 1, 32, 33] {
            let mut bytes = record.bytes().to_vec();
            bytes[0] = length;
            assert!(Record::read(&bytes).is_none(), "length {length}");
        }
    }

    #[test]
    fn names_are_sorted_by_stem_first() {
        let mut names: Vec<&[u8]> = vec![b"A_B.C;1", b"A.Z;1", b"AB.A;1", b"A.B00;1"];
        names.sort_by_key(|name| Record::sort_key(name));
        assert_eq!(names, [&b"A.B00;1"[..], b"A.Z;1", b"AB.A;1", b"A_B.C;1"]);
    }
}
