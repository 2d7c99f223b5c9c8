"""Files that want more than they should get. Writes the one that is named to `out`."""

import gzip
import io
import struct
import sys
import zipfile

MIB = 1 << 20


def ar(*members):
    out = [b"!<arch>\n"]
    for name, data, size in members:
        out.append(b"%-16s%-12d%-6d%-6d%-8d%-10d`\n" % (name, 0, 0, 0, 0, size))
        out.append(data)
        out.append(b"\n" * (len(data) % 2))
    return b"".join(out)


def vib(descriptor, payload=b""):
    return ar(
        (b"descriptor.xml", descriptor, len(descriptor)),
        (b"sig.pkcs7", b"", 0),
        (b"hi", payload, len(payload)),
    )


def vib_signed(signature):
    text = descriptor()
    return ar((b"descriptor.xml", text, len(text)), (b"sig.pkcs7", signature, len(signature)))


def descriptor(inside=b"", files=b""):
    return (
        b'<vib version="5.0"><type>bootbank</type><name>hi</name><version>1.0-1</version>'
        b"<vendor>acme</vendor>%s<file-list>%s</file-list><payloads>"
        b'<payload name="hi" type="tgz" size="1"/></payloads></vib>' % (inside, files)
    )


def deflated(chunks):
    """A gzip stream, from chunks that need not fit into memory together."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as stream:
        for chunk in chunks:
            stream.write(chunk)
    return out.getvalue()


def header(name, size, kind=b"0", mode=0o644, magic=b"ustar  \0"):
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"%07o\0" % mode
    block[108:124] = b"0000000\0" * 2
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = magic
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def zip_of(entries, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


def directory(count, name_bytes, claimed=None, extra=0, comment=0):
    """A zip that is little more than its directory."""
    records = []
    for number in range(count):
        name = b"%x" % number
        name = name + b"n" * max(0, name_bytes - len(name))
        fixed = (20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), extra, comment, 0, 0, 0, 0)
        record = struct.pack("<4s6H3I5H2I", b"PK\1\2", *fixed)
        records.append(record + name + b"\0" * (extra + comment))
    body = b"".join(records)
    claimed = count if claimed is None else claimed
    big = struct.pack(
        "<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, claimed, claimed, len(body), 4
    )
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 4 + len(body), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return b"PK\3\4" + body + big + locator + end


def index(url=b"m.zip"):
    vendors = (
        b"<vendorList><vendor><name>a</name><code>acm</code><indexfile>v.xml</indexfile>"
        b"<relativePath></relativePath></vendor></vendorList>"
    )
    listed = (
        b"<metaList><metadata><productId>embeddedEsx</productId><version>8.*</version>"
        b"<locale></locale><url>%s</url></metadata></metaList>" % url
    )
    return [("index.xml", vendors), ("v.xml", listed)]


def many_files(count, name_bytes=60):
    return b"".join(b"<file>opt/%0*d</file>" % (name_bytes, n) for n in range(count))


def elf(size):
    head = bytearray(64)
    head[:7] = b"\x7fELF\2\1\1"
    head[16:21] = bytes([2, 0, 62, 0, 1])
    head[52], head[54] = 64, 56
    return bytes(head) + bytes(size - 64)


def bundle_of_records(count):
    record = descriptor(files=many_files(50))
    inner = zip_of([(f"vibs/{n}.xml", record) for n in range(count)])
    return zip_of(index() + [("m.zip", inner)], zipfile.ZIP_STORED)


def most_signatures():
    path = b"<relative-path>%d.vib</relative-path>"
    records = zip_of([(f"vibs/{n}.xml", descriptor(path % n)) for n in range(20)])
    signature = b"-----BEGIN PKCS7-----\n" + b"A" * (MIB - 100) + b"\n-----END PKCS7-----\n"
    packages = [(f"{n}.vib", vib_signed(signature)) for n in range(20)]
    return zip_of(index() + [("m.zip", records)] + packages)


def names_to_compare():
    """Every element of one descriptor is looked up in the other."""
    elements = b"".join(b"<e%d>x</e%d>" % (n, n) for n in range(50_000))
    described = descriptor(b"<relative-path>a.vib</relative-path>" + elements)
    inner = zip_of([("vibs/a.xml", described)])
    package = vib(descriptor(elements), deflated(tar_entries(1, b"opt/%d")))
    return zip_of(index() + [("m.zip", inner), ("a.vib", package)])


def everything_at_once():
    """Close to every limit that holds for the file as a whole."""
    records = [descriptor(files=many_files(59_000, 44)) for _ in range(5)]
    entries = deflated(tar_entries(79_000, b"opt/" + b"n" * 40 + b"%d"))
    package = vib(descriptor(), entries)
    described = descriptor(b"<relative-path>a.vib</relative-path>")
    others = [(f"vibs/{n}.xml", record) for n, record in enumerate(records)]
    inner = zip_of([("vibs/a.xml", described)] + others)
    return zip_of(index() + [("m.zip", inner), ("a.vib", package)])


def thousand_nested():
    inner = zip_of([("zeros", bytes(MIB // 4))])
    return zip_of([(f"{n}.zip", inner) for n in range(1000)])


def big_inner_zip():
    fill = [(f"{n}", bytes(MIB)) for n in range(100)]
    bundle = zip_of(index() + [("m.zip", zip_of([]))] + fill, zipfile.ZIP_STORED)
    return zip_of([("bundle.zip", bundle)], zipfile.ZIP_STORED)


def tar_entries(count, name, size=0, data=b""):
    for number in range(count):
        yield header(name % number, size) + data
    yield bytes(1024)


FILES = {
    "ar-claims-10-gib": lambda: ar((b"descriptor.xml", descriptor(), 9999999999)),
    "ar-payload-claims-10-gib": lambda: vib(descriptor())[:-60]
    + b"%-16s%-12d%-6d%-6d%-8d%-10d`\n" % (b"hi", 0, 0, 0, 0, 9999999999),
    "gzip-bomb": lambda: deflated(
        [header(b"opt/zeros", 160 * MIB)] + [bytes(MIB)] * 160 + [bytes(1024)]
    ),
    "vib-with-gzip-bomb": lambda: vib(
        descriptor(),
        deflated([header(b"opt/zeros", 160 * MIB)] + [bytes(MIB)] * 160 + [bytes(1024)]),
    ),
    "xml-bomb-in-zip": lambda: zip_of([("index.xml", bytes(160 * MIB))]),
    "thousand-nested-zips": thousand_nested,
    "huge-directory": lambda: directory(450_000, 1),
    "huge-directory-with-long-names": lambda: directory(79_000, 250),
    "huge-directory-with-comments": lambda: directory(400, 8, extra=65535, comment=65535),
    "directory-claims-everything": lambda: directory(10, 1, claimed=2**60),
    "huge-directory-inside": lambda: zip_of(
        index() + [("m.zip", directory(450_000, 1))], zipfile.ZIP_STORED
    ),
    "huge-directory-inside-compressed": lambda: zip_of(
        index() + [("m.zip", directory(450_000, 1))]
    ),
    "most-entries": lambda: deflated(tar_entries(79_990, b"opt/%d")),
    "most-entries-with-long-names": lambda: deflated(
        tar_entries(79_990, b"opt/" + b"n" * 70 + b"%d")
    ),
    "most-xml": lambda: vib(descriptor(files=many_files(59_000, 40))),
    "most-attributes": lambda: vib(
        descriptor((b"<a %s/>" % b" ".join(b"b%d='1'" % n for n in range(60))) * 980)
    ),
    "too-many-attributes": lambda: vib(
        descriptor(b"".join(b"<a b='1' c='1' d='1' e='1' f='1' g='1'/>" for _ in range(59_000)))
    ),
    "most-signatures": most_signatures,
    "most-names-of-elements": lambda: vib(
        descriptor(b"".join(b"<e%d/>" % n for n in range(59_000)))
    ),
    "most-relations": lambda: vib(
        descriptor(
            b"<relationships><depends>%s</depends></relationships>"
            % b"".join(b"<constraint name='%d'/>" % n for n in range(50_000))
        )
    ),
    "everything-at-once": everything_at_once,
    "names-to-compare": names_to_compare,
    "most-records": lambda: bundle_of_records(4000),
    "program-of-16-mib": lambda: deflated(
        [header(b"opt/p", 16 * MIB, mode=0o755), elf(16 * MIB), bytes(1024)]
    ),
    "long-names-of-gigabytes": lambda: deflated(
        [header(b"././@LongLink", 2**31, b"L")] + [bytes(MIB)] * 100
    ),
    "vmtar-far-away": lambda: deflated(
        [header(b"opt/a", 2**33 - 1, magic=b"visor  \0"), bytes(MIB)]
    ),
    "big-inner-zip": big_inner_zip,
}

if __name__ == "__main__":
    with open("out", "wb") as out:
        out.write(FILES[sys.argv[1]]())
