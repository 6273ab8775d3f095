"""Makes archives that need zip64, and has three readers read them: large.py [FOLDER]

One larger than 4 GiB, whose members are gzip files of sparse content; one of 70,000 members; and one with a single
file of more than 4 GiB of rows. Needs 15 GB of disk, unzip and java; takes some minutes.
"""
import gzip
import pathlib
import shutil
import subprocess
import sys
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".local" / "large"
RELEASE = ROOT / "target" / "release"
READER = """
import java.io.*; import java.util.zip.*;
class Reader { public static void main(String[] a) throws Exception {
  long members = 0, bytes = 0; byte[] buffer = new byte[1 << 16];
  try (ZipInputStream zip = new ZipInputStream(new BufferedInputStream(new FileInputStream(a[0])))) {
    while (zip.getNextEntry() != null) { members++; for (int n; (n = zip.read(buffer)) > 0; ) bytes += n; } }
  System.out.println(members + " " + bytes); } }
"""


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", "--package", "bench"], cwd=ROOT, check=True)
    (WORK / "Reader.java").write_text(READER)

    many = WORK / "many"
    many.mkdir()
    for number in range(70_000):
        (many / f"{number:05}.json.gz").write_bytes(gzip.compress(f'{{"n":{number}}}\n'.encode(), 1, mtime=0))
    check("70,000 members", many, "gzip", "2026-03-01 00:00:00", "2034-12-31 00:00:00")
    shutil.rmtree(many)

    large = WORK / "large"
    large.mkdir()
    for number in range(5):
        with open(large / f"{number}.json.gz", "wb") as file:
            file.write(b"\x1f\x8b")
            file.truncate(1 << 30)
    check("more than 4 GiB", large, "gzip", "2026-03-01 00:00:00", "2026-03-01 05:00:00")
    shutil.rmtree(large)

    rows = WORK / "rows"
    subprocess.run([RELEASE / "data", rows, "4800"], check=True)
    check("one file of more than 4 GiB", rows, "jsonl", "2026-03-01 00:30:00", "2026-03-01 23:30:00")
    shutil.rmtree(WORK)


def check(what, folder, form, begin, end):
    out = WORK / "out.zip"
    subprocess.run([RELEASE / "decant", folder, out, form, begin, end], check=True, stderr=subprocess.DEVNULL)
    with zipfile.ZipFile(out) as archive:
        members = len(archive.infolist())
        size = sum(info.file_size for info in archive.infolist())
    print(f"{what}: {members} members, {size / 1e9:.2f} GB in an archive of {out.stat().st_size / 1e9:.2f} GB", flush=True)
    for reader, read in {"unzip -t": unzip, "Python zipfile": python, "Java ZipInputStream": java}.items():
        begun = time.monotonic()
        read(out, members, size)
        print(f"  {reader} read it in {time.monotonic() - begun:.0f} s", flush=True)
    out.unlink()


def unzip(out, members, size):
    done = subprocess.run(["unzip", "-tqq", out], capture_output=True)
    assert done.returncode == 0, done.stdout[-1000:]


def python(out, members, size):
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None


def java(out, members, size):
    done = subprocess.run(["java", WORK / "Reader.java", out], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(members), str(size)], done.stdout


main()
