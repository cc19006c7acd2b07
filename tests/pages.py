"""What tests of pages look with: an outline of their elements, and a browser without a network."""

import shutil
import subprocess
from html.parser import HTMLParser

CHROMIUM = shutil.which("chromium")
_VOID = {"meta", "img", "wbr", "br"}


class Outline(HTMLParser):
    """Notes elements, attributes and text, and that every element is closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        """Open an element."""
        self.handle_startendtag(tag, attributes)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        """Note an element."""
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        """Close the innermost element, and no other."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Gather what is shown."""
        if self.open[-1:] != ["style"]:
            self.text += data

    def values(self, name):
        """Return the values of an attribute, wherever it stands."""
        return [value for key, value in self.attributes if key == name]


def browse(page, folder):
    """Open a page in a browser that resolves no name; return what it says and all it asks for."""
    log = folder / "net.json"
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --dump-dom"
    done = subprocess.run(
        [
            CHROMIUM,
            *flags.split(),
            "--enable-logging=stderr",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder / 'profile'}",
            f"--log-net-log={log}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, said, log.read_text()
