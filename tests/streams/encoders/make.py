"""Writes the gzip files beside it: the same rows, by the encoders that people have.

Needs gzip, pigz, 7z, java, go, and from PyPI isal, zopfli and deflate (libdeflate). The files are committed,
so that tests need none of them; run this again to add an encoder.
"""

import gzip, io, pathlib, subprocess, tempfile, zlib

import deflate, zopfli.gzip
from isal import igzip

HERE = pathlib.Path(__file__).parent

JAVA = """
import java.io.*; import java.util.zip.*;
class Write { public static void main(String[] a) throws Exception {
  try (var out = new GZIPOutputStream(System.out, 512, true)) {
    byte[] all = System.in.readAllBytes();
    for (int at = 0; at < all.length; at += 4000) {
      out.write(all, at, Math.min(4000, all.length - at)); out.flush();
    } } } }
"""
GO = """
package main
import ("compress/gzip"; "io"; "os"; "strconv")
func main() {
	level, _ := strconv.Atoi(os.Args[1])
	flush, _ := strconv.Atoi(os.Args[2])
	all, _ := io.ReadAll(os.Stdin)
	out, _ := gzip.NewWriterLevel(os.Stdout, level)
	for at := 0; at < len(all); at += flush {
		end := at + flush
		if end > len(all) { end = len(all) }
		out.Write(all[at:end]); out.Flush()
	}
	out.Close()
}
"""


def rows():
    """About 120 KB: some of it repeated, some not, more than three windows of deflate."""
    words = ["Search", "Preise", "ホーム", "Contact", "Über uns", "Docs", "Blog", "Changelog"]
    state, out = 7, []
    for n in range(800):
        state = (state * 1103515245 + 12345) % 2**31
        second = n * 4
        out.append(
            f'{{"eventDate":"2026-03-01T00:{second // 60:02}:{second % 60:02}.{state % 1000:03}Z",'
            f'"sessionId":"{state:08x}","title":"{words[state % 8]}","url":"https://example.com/'
            f'{state % 97}/{words[state // 8 % 8].lower()}","views":{state % 7},"city":null}}\n'
        )
    return "".join(out).encode()


def run(data, *command, cwd=None):
    return subprocess.run(command, input=data, capture_output=True, check=True, cwd=cwd).stdout


def by_zlib(data, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, flushes=(), memory=8):
    packer = zlib.compressobj(level, zlib.DEFLATED, 31, memory, strategy)
    out = b""
    for at in range(0, len(data), 9000):
        out += packer.compress(data[at : at + 9000])
        if flushes:
            out += packer.flush(flushes[at // 9000 % len(flushes)])
    return out + packer.flush()


def by_isal(data, level):
    out = io.BytesIO()
    with igzip.IGzipFile(fileobj=out, mode="wb", compresslevel=level, mtime=0) as file:
        file.write(data)
    return out.getvalue()


def main():
    data = rows()
    thirds = [data[: len(data) // 3], data[len(data) // 3 : len(data) // 2], data[len(data) // 2 :]]
    all_flushes = [zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_BLOCK]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "Write.java").write_text(JAVA)
        (scratch / "write.go").write_text(GO)
        (scratch / "rows.jsonl").write_bytes(data)
        run(None, "7z", "a", "-tgzip", "-mx9", "7zip-9.gz", "rows.jsonl", cwd=scratch)
        go = scratch / "write"
        run(None, "go", "build", "-o", str(go), "write.go", cwd=scratch)
        files = {
            "zlib-1": by_zlib(data, 1),
            "zlib-9-small": by_zlib(data, 9, memory=1),
            "zlib-fixed": by_zlib(data, strategy=zlib.Z_FIXED),
            "zlib-huffman": by_zlib(data, strategy=zlib.Z_HUFFMAN_ONLY),
            "zlib-flushes": by_zlib(data, flushes=all_flushes),
            "gzip-9": run(data, "gzip", "-9", "-n"),
            "gzip-rsyncable": run(data, "gzip", "--rsyncable", "-n"),
            "gzip-members": b"".join(run(part, "gzip", "-6", "-n") for part in thirds),
            "pigz": run(data, "pigz", "-n", "-p", "2", "-b", "32", "-6"),
            "pigz-independent": run(data, "pigz", "-n", "-p", "2", "-b", "32", "-i"),
            "java-sync-flush": run(data, "java", str(scratch / "Write.java")),
            "go-6-flush": run(data, str(go), "6", "20000"),
            "go-1": run(data, str(go), "1", "10000000"),
            "go-huffman": run(data, str(go), "-2", "10000000"),
            "7zip-9": (scratch / "7zip-9.gz").read_bytes(),
            "isal-0": by_isal(data, 0),
            "isal-3": by_isal(data, 3),
            "libdeflate-1": deflate.gzip_compress(data, 1),
            "libdeflate-12": deflate.gzip_compress(data, 12),
            "zopfli": zopfli.gzip.compress(data),
        }
    for name, file in files.items():
        assert gzip.decompress(file) == data, name
        (HERE / f"{name}.gz").write_bytes(file)
        print(name, len(file))


main()
