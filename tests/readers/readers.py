"""What readers of `.env` files see that are written in no language with a reader of its own here, or in Python:
`python readers.py READER FOLDER` prints one JSON object for each file `NUMBER.env`, in the order of the numbers, or `null`
where the reader gives the file up. Ends with 3 where the reader is not on this machine.
"""

import ctypes
import glob
import http.server
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

MISSING = 3
NAMES = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]*")


def python_dotenv(paths):
    try:
        from dotenv import dotenv_values
    except ImportError:
        sys.exit(MISSING)
    logging.disable(logging.CRITICAL)
    return [dict(dotenv_values(path, interpolate=False)) for path in paths]


def shell(program):
    """Each file is sourced by a script of its own, which then prints the variables whose names stand in the file."""

    def read(paths):
        found = shutil.which(program) or sys.exit(MISSING)
        show = "show() { eval \"[ -z \\\"\\${$1+x}\\\" ] || printf '%s=%s\\\\0' $1 \\\"\\$$1\\\"\"; }\n"
        with tempfile.TemporaryDirectory() as folder:
            for number, path in enumerate(paths):
                with open(path, encoding="utf-8") as file:
                    names = sorted(set(NAMES.findall(file.read())) - {"_", "IFS", "PATH", "PWD"})
                shown = "".join(f"show {name}\n" for name in names)
                with open(os.path.join(folder, f"{number}.sh"), "w", encoding="utf-8") as file:
                    file.write(f"{show}printf '%s\\003' $$\n. {path} </dev/null >/dev/null 2>&1\n{shown}printf '\\002'\n")
            loop = 'for number in "$@"; do printf "\\001"; "$0" "$number.sh"; done'
            # Nothing that a file names is run, nor found in the shell's own environment.
            clean = {"PATH": "/nonexistent", "LC_ALL": "C.UTF-8"}
            command = [found, "-c", loop, found, *map(str, range(len(paths)))]
            done = subprocess.run(command, env=clean, cwd=folder, capture_output=True, check=False)
        answers = done.stdout.decode(errors="replace").split("\x01")[1:]
        assert len(answers) == len(paths), done.stderr
        return [shown_by_shell(answer, path) for answer, path in zip(answers, paths)]

    return read


def shown_by_shell(answer, path):
    """The number of the process, which `$$` expands to, differs each time; where nobody asks for it, a secret may contain it."""
    if not answer.endswith("\x02"):
        return None
    number, shown = answer[:-1].split("\x03", 1)
    found = entries(shown.split("\0")[:-1])
    with open(path, encoding="utf-8") as file:
        asks = "$$" in file.read()
    return {name: value.replace(number, "$$") for name, value in found.items()} if asks else found


def entries(lines):
    return dict(line.split("=", 1) for line in lines if "=" in line)


def systemd(paths):
    """What a unit with `EnvironmentFile=` gets: systemd's own parser, called in its library."""
    libraries = glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so") + glob.glob("/usr/lib/systemd/libsystemd-shared-*.so")
    if not libraries:
        sys.exit(MISSING)
    library, libc = ctypes.CDLL(libraries[0]), ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    load = library.load_env_file

    def one(path):
        found = ctypes.POINTER(ctypes.c_char_p)()
        if load(None, path.encode(), ctypes.byref(found)) < 0:
            return None
        lines = []
        while found and found[len(lines)] is not None:
            lines.append(found[len(lines)].decode(errors="replace"))
        return valid_units(lines)

    return [one(path) for path in paths]


def valid_units(lines):
    """systemd drops what cannot be a variable."""
    return {name: value for name, value in entries(lines).items() if NAMES.fullmatch(name)}


def systemd_rules(comment_continues):
    """A port, from its manual and behaviour, of how systemd reads such files: since version 254 a backslash that ends a
    comment does not join the next line to it. The test holds the older form of it against systemd's own parser."""

    def read(paths):
        answers = []
        for path in paths:
            with open(path, encoding="utf-8", newline="") as file:
                answers.append(valid_units(systemd_lines(file.read(), comment_continues)))
        return answers

    return read


def systemd_lines(text, comment_continues):
    lines, state, name, value, blanks = [], "start", "", "", 0

    def finish():
        kept = value[: len(value) - blanks] if state in ("value", "escape") else value
        lines.append(f"{name.rstrip(BLANKS)}={kept}")

    for char in text:
        if state == "start":
            if char in "#;":
                state = "comment"
            elif char not in BLANKS:
                state, name = "name", char
        elif state == "name":
            if char in ENDS:
                state = "start"
            elif char == "=":
                state, value, blanks = "before", "", 0
            else:
                name += char
        elif state == "before":
            if char in ENDS:
                finish()
                state = "start"
            elif char in "'\"":
                state = char
            elif char == "\\":
                state = "escape"
            elif char not in BLANKS:
                state, value, blanks = "value", value + char, 0
        elif state == "value":
            if char in ENDS:
                finish()
                state = "start"
            elif char == "\\":
                state, blanks = "escape", 0
            else:
                value, blanks = value + char, blanks + 1 if char in BLANKS else 0
        elif state == "escape":
            state = "value"
            value += "" if char in ENDS else char
        elif state == "'":
            if char == "'":
                state = "before"
            else:
                value += char
        elif state == '"':
            if char == '"':
                state = "before"
            elif char == "\\":
                state = '"\\'
            else:
                value += char
        elif state == '"\\':
            state = '"'
            if char in '"\\`$':
                value += char
            elif char != "\n":
                value += "\\" + char
        elif state == "comment":
            if char == "\\":
                state = "comment\\"
            elif char in ENDS:
                state = "start"
        elif state == "comment\\":
            state = "comment" if comment_continues or char not in ENDS else "start"
    if state in ("before", "value", "escape", "'", '"', '"\\'):
        finish()
    return lines


ENDS = "\n\r"
BLANKS = " \t\n\r"


def docker(paths):
    """What `docker create --env-file` sends to its daemon: a stand-in on the loopback address answers it."""
    client = shutil.which("docker") or sys.exit(MISSING)
    sent = []

    class Daemon(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status, body):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Api-Version", "1.43")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_GET(self):
            self.answer(200, {})

        do_HEAD = do_GET

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            sent.append(json.loads(body)["Env"] or [])
            self.answer(201, {"Id": "0", "Warnings": []})

        def log_message(self, *_):
            pass

    daemon = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
    threading.Thread(target=daemon.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        marker = os.path.join(folder, "marker")
        with open(marker, "w", encoding="utf-8") as file:
            file.write("MARKER__=1\n")
        clean = {"HOME": folder, "PATH": "/nonexistent", "DOCKER_HOST": f"tcp://127.0.0.1:{daemon.server_port}"}

        def ask(some):
            files = [word for path in some for word in ("--env-file", marker, "--env-file", path)]
            done = subprocess.run(
                [client, "create", *files, "image"], env=clean, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                return done.stderr
            parts = []
            for line in sent.pop():
                if line == "MARKER__=1":
                    parts.append([])
                else:
                    parts[-1].append(line)
            return [entries(part) for part in parts]

        return without_bad(paths, ask)


def without_bad(paths, ask):
    """Asks about many files at once. A reader that gives one of them up names it, and is asked about the others."""
    good = list(paths)
    while good:
        answers = ask(good)
        if not isinstance(answers, str):
            break
        bad = next((path for path in good if path in answers), None)
        assert bad, answers
        good.remove(bad)
    found = dict(zip(good, answers)) if good else {}
    return [found.get(path) for path in paths]


def compose(paths):
    """What services with `env_file` get from Docker Compose, all of them in one project."""
    client = compose_client() or sys.exit(MISSING)

    with tempfile.TemporaryDirectory() as folder:
        project = os.path.join(folder, "compose.yaml")

        def ask(some):
            services = {f"f{number}": {"image": "a", "env_file": [path]} for number, path in enumerate(some)}
            with open(project, "w", encoding="utf-8") as file:
                json.dump({"name": "x", "services": services}, file)
            clean = {"HOME": folder, "PATH": "/nonexistent"}
            command = [client, "-f", project, "config", "--format", "json"]
            done = subprocess.run(command, env=clean, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return done.stderr
            found = json.loads(done.stdout)["services"]
            return [found[f"f{number}"].get("environment") or {} for number in range(len(some))]

        return without_bad(paths, ask)


def compose_client():
    try:
        import compose as package
    except ImportError:
        return None
    client = os.path.join(os.path.dirname(package.__file__), "docker-compose")
    return client if os.access(client, os.X_OK) else None


READERS = {
    "python-dotenv": python_dotenv,
    "bash": shell("bash"),
    "dash": shell("dash"),
    "systemd": systemd,
    "systemd-rules-before-254": systemd_rules(True),
    "systemd-rules-since-254": systemd_rules(False),
    "docker": docker,
    "compose": compose,
}


def main():
    reader, folder = sys.argv[1:]
    count = len(os.listdir(folder))
    paths = [os.path.join(os.path.abspath(folder), f"{number}.env") for number in range(count)]
    for answer in READERS[reader](paths):
        print(json.dumps(answer))


main()
