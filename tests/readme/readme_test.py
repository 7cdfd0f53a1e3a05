#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what README.md shows, in its order, against one real server.

A snippet is a fenced block behind <!-- run: sh|python|cpp -->. If <!-- output --> and another block
follow, they are exactly what it prints. The one thing that is changed is the port.

    readme_test.py extract SOURCE_DIR FILE        write the C++ snippet for the compiler
    readme_test.py run SOURCE_DIR BUILD_DIR CPP   run all snippets; CPP is the compiled one
    readme_test.py links SOURCE_DIR               check the links of all documents
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

TIMEOUT_S = 60
KINDS = {"sh", "python", "cpp"}
FENCE = r"```[a-z]*\n(.*?)^```$"
SNIPPET = re.compile(
    rf"^<!-- run: (\w+) -->\n{FENCE}(?:\n<!-- output -->\n{FENCE})?", re.DOTALL | re.MULTILINE
)
# Numbers that are the server's own choice; everything else has to be as printed.
VARIES = re.compile(r"(version=|state_hash )[0-9a-f]+")
PORT = re.compile(r"\b9090\b")

CPP_PRELUDE = """#include <cstdint>
#include <cstdlib>
namespace {
std::uint16_t readme_port() {
  return static_cast<std::uint16_t>(std::atoi(std::getenv("SYNOD_README_PORT")));
}
}  // namespace
"""


def snippets(source_dir):
    """[(kind, code, expected output or None)]; complains about markers that mark nothing."""
    text = (source_dir / "README.md").read_text(encoding="utf-8")
    found = SNIPPET.findall(text)
    markers = text.count("<!-- run:"), text.count("<!-- output -->")
    if markers != (len(found), sum(1 for _, _, output in found if output)):
        sys.exit(f"README.md: {markers} markers, but {len(found)} snippets were understood")
    if {kind for kind, _, _ in found} != KINDS:
        sys.exit(f"README.md: each of {sorted(KINDS)} must be shown at least once")
    return [(kind, code, output or None) for kind, code, output in found]


def extract(source_dir, target):
    codes = [code for kind, code, _ in snippets(source_dir) if kind == "cpp"]
    if len(codes) != 1:
        sys.exit("README.md: exactly one C++ snippet is compiled")
    target.write_text(CPP_PRELUDE + PORT.sub("readme_port()", codes[0]), encoding="utf-8")


class Server:
    """synod-server on a free port, with the data folder that the README speaks of."""

    def __init__(self, binary, folder):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SYNOD_") and name != "THRIFT_PORT"
        }
        self.process = subprocess.Popen(
            [binary, "--port", "0", "--data-dir", "data"],
            cwd=folder, env=environment, stderr=subprocess.PIPE, text=True,
        )
        self.said = ""
        self.port = self._read_port()

    def _read_port(self):
        for line in self.process.stderr:
            self.said += line
            serving = re.search(r"serving Thrift on 127\.0\.0\.1:(\d+)", line)
            if serving:
                return serving.group(1)
        sys.exit(f"the server does not start:\n{self.said}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.said += self.process.communicate(timeout=TIMEOUT_S)[1]
        if self.process.returncode != 0:
            sys.exit(f"the server ended with {self.process.returncode}:\n{self.said}")


def command_of(kind, code, port, compiled):
    if kind == "sh":
        return ["bash", "-euo", "pipefail", "-c", code]
    if kind == "python":
        return [sys.executable, "-B", "-c", PORT.sub(port, code)]
    return [compiled]


def run_one(kind, code, expected, folder, port, compiled):
    environment = dict(
        os.environ,
        PYTHONPATH=str(folder / "build/release/python"),
        SYNOD_ENDPOINT=f"127.0.0.1:{port}",
        SYNOD_README_PORT=port,
    )
    done = subprocess.run(
        command_of(kind, code, port, compiled), cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False,
    )
    print(f"--- {kind}, exit code {done.returncode}\n{code}--- prints\n{done.stdout}", flush=True)
    wrong = expected is not None and VARIES.sub(r"\1*", expected) != VARIES.sub(r"\1*", done.stdout)
    if wrong:
        print(f"--- but README.md says\n{expected}", flush=True)
    return done.returncode == 0 and not wrong


def run(source_dir, build_dir, compiled):
    folder = build_dir / "tests" / "readme-data"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "build").mkdir(parents=True)
    (folder / "build" / "release").symlink_to(build_dir)
    server = Server(str(build_dir / "bin" / "synod-server"), folder)
    try:
        for kind, code, expected in snippets(source_dir):
            if not run_one(kind, code, expected, folder, server.port, compiled):
                sys.exit("this snippet does not do what README.md says")
        server.stop()
    finally:
        server.process.kill()
    shutil.rmtree(folder)


def links(source_dir):
    """Every relative link of every document names a file or folder of the tree."""
    documents = sorted(source_dir.glob("*.md")) + sorted(source_dir.glob("docs/**/*.md"))
    checked, broken = 0, []
    for document in documents:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            checked += 1
            if not (document.parent / target).exists():
                broken.append(f"{document.relative_to(source_dir)}: {target} does not exist")
    print("\n".join(broken + [f"{checked} links in {len(documents)} documents"]))
    if broken or checked == 0:
        sys.exit(1)


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    name, source_dir, *rest = arguments
    source_dir = pathlib.Path(source_dir).resolve()
    if name == "extract" and len(rest) == 1:
        extract(source_dir, pathlib.Path(rest[0]))
    elif name == "run" and len(rest) == 2:
        run(source_dir, pathlib.Path(rest[0]).resolve(), rest[1])
    elif name == "links" and not rest:
        links(source_dir)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
