"""Runs all contenders side by side and prints a table: run.py [--rounds 5] [--megabytes 512] [--only NAME ...]

Each round runs every contender once, so that a noisy moment falls on all of them; medians are printed.
"""
import argparse
import datetime
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / ".local" / "bench"
DAY = "2026-03-01 00:00:00", "2026-03-02 00:00:00"
# A fifth of the rows.
COUNTRY = "Brazil"
ARCHIVER = "archiver@8.0.0"
# As builders have it in the template.
ENVIRONMENT = ["env", "MALLOC_MMAP_THRESHOLD_=4194304"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--words", type=int, default=0, help="words added to each row")
    parser.add_argument("--noise", action="store_true", help="these words hardly compress")
    parser.add_argument("--work", default="W1,W2,W3")
    parser.add_argument("--only", nargs="*", help="contenders whose name contains one of these")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    binaries, python, node = set_up()
    shape = [str(options.hours), str(options.words), *(["noise"] if options.noise else [])]
    data = WORK / "-".join(["data", str(options.megabytes), *shape])
    if not data.exists():
        print("Writing the data...", flush=True)
        subprocess.run([binaries / "data", data, str(options.megabytes), *shape], check=True)
    for work, form in {"W1": "jsonl", "W2": "csv", "W3": "gzip"}.items():
        if work in options.work.split(","):
            contenders = contenders_of(work, form, data, window_of(options.hours), binaries, python, node)
            if options.only:
                contenders = {name: c for name, c in contenders.items() if any(o in name for o in options.only)}
            compare(work, contenders, options.rounds)


def set_up():
    subprocess.run(["cargo", "build", "--release", "--locked", "--package", "bench"], cwd=ROOT, check=True)
    binaries = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    python = WORK / "venv/bin/python"
    if not python.exists():
        print("Installing the peers...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--requirement", HERE / "peers/requirements.txt"], check=True)
    node = WORK / "node"
    if not (node / "node_modules").exists() and shutil.which("npm"):
        node.mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", node, ARCHIVER], check=True)
    if node.exists():
        shutil.copy(HERE / "peers/node_archiver.mjs", node)
    return binaries, python, node / "node_archiver.mjs"


def window_of(hours):
    """About 90 % of the time there is, cutting the hours at both ends."""
    at = lambda part: (datetime.datetime(2026, 3, 1) + datetime.timedelta(hours=hours * part)).strftime("%F %T")
    return at(0.05), at(0.95)


def contenders_of(work, form, data, window, binaries, python, node):
    """Commands by name; each writes the file given last."""
    window = DAY if work == "W3" else window
    country = [COUNTRY] if work == "W2" else []
    ours = ["6", "2", f"country == '{COUNTRY}'"] if work == "W2" else []
    arguments = lambda out: [data, out, form, *window, *country]
    peer = lambda name: lambda out: [python, HERE / f"peers/{name}.py", *arguments(out)]
    contenders = {
        "decant": lambda out: [*ENVIRONMENT, binaries / "decant", data, out, form, *window, *ours],
        "plain Rust": lambda out: [binaries / "plain", *arguments(out)],
        "Python": peer("python_std"),
        "Python, orjson, isal": peer("python_fast"),
        "DuckDB": peer("duckdb_copy"),
    }
    if work == "W3":
        contenders = {"cat": lambda out: ["sh", "-c", f"cat {data}/* > {out}"], **contenders}
        del contenders["DuckDB"]
    else:
        contenders = {"only inflate": lambda out: [binaries / "inflate", data], **contenders}
    if work == "W2":
        contenders["Polars"] = peer("polars_zip")
    if node.exists():
        contenders["Node, archiver"] = lambda out: ["node", node, *arguments(out)]
    return contenders


def compare(work, contenders, rounds):
    results = {name: [] for name in contenders}
    for number in range(rounds):
        for name, command in contenders.items():
            print(f"\r{work} {number + 1}/{rounds} {name:<24}", end="", file=sys.stderr, flush=True)
            results[name].append(measure(command))
    print(f"\r{work:<40}", file=sys.stderr)
    print(f"\n{work:<24}{'wall s':>9}{'CPU s':>9}{'x first':>9}{'x decant':>10}{'peak MB':>9}{'out MB':>9}")
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
    first = next(iter(median.values()))[0]
    for name, (wall, cpu, peak, size) in median.items():
        ours = f"{wall / median['decant'][0]:.2f}" if "decant" in median else ""
        print(f"{name:<24}{wall:>9.2f}{cpu:>9.2f}{wall / first:>9.2f}{ours:>10}{peak:>9.0f}{size:>9.1f}", flush=True)


def measure(command):
    """Wall and CPU seconds, peak memory and size of the output, both in MB."""
    out = WORK / "out.zip"
    out.unlink(missing_ok=True)
    begun = os.times().elapsed
    child = subprocess.Popen([str(part) for part in command(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = os.times().elapsed - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command(out)}\n{said.decode()}")
    size = out.stat().st_size / 1e6 if out.exists() else 0
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, size


main()
