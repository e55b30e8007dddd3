"""The tiny form: a signed summary of a status package, as text of QR codes, as dictated lines, or as bytes (SPEC.md, section 16)."""

import base64
import datetime
import hashlib
import re

import verify
from verify import INTEGER_MAX, Refusal, distrust

PIECE_BYTES, PIECES = 400, 16
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
SUMMARY = "application/vnd.airlock.status-summary.v1"
STATES = ("no status", "error", "stale", "progressing", "running", "healthy")
RUNS = ("what is wanted", "another revision", "not known")


def format_fault(code, found):
    return Refusal("E-FORMAT", code, found)


# --- Text ---------------------------------------------------------------------------------------------------------

def base45(value):
    """RFC 9285, in the one form."""
    out = bytearray()
    for at in range(0, len(value), 3):
        group = value[at:at + 3]
        number = sum(BASE45.index(character) * 45**place for place, character in enumerate(group))
        size = len(group) - 1
        if size == 0 or number >= 256**size:
            raise format_fault("base45", f"the group {verify.quoted(group)} is no base45")
        out += number.to_bytes(size, "big")
    return bytes(out)


def series(words):
    """The bytes of a series of QR codes, one a line, in any order."""
    pieces, names = {}, set()
    for line in words.split("\n"):
        line = line.strip("\r\n")
        if not line:
            continue
        match = re.fullmatch(r"AIRLOCK1/([0-9A-F]{4})/([1-9][0-9]?)/([1-9][0-9]?):([0-9A-Z $%*+./:-]+)", line)
        if not match or not int(match[2]) <= int(match[3]) <= PIECES:
            raise format_fault("series-line", "a line is none of a summary")
        names.add((match[1], int(match[3])))
        if pieces.setdefault(int(match[2]), base45(match[4])) != base45(match[4]):
            raise Refusal("E-INTEGRITY", "series", f"piece {match[2]} is there twice, and not the same")
    if len(names) != 1:
        raise Refusal("E-INTEGRITY", "series", "the pieces are of different summaries")
    (name, number), = names
    if len(pieces) != number:
        missing = [piece for piece in range(1, number + 1) if piece not in pieces]
        raise Refusal("E-INCOMPLETE", "series", f"pieces {missing} of {number} are missing")
    data = b"".join(pieces[piece] for piece in range(1, number + 1))
    if hashlib.sha256(data).hexdigest()[:4].upper() != name:
        raise Refusal("E-INTEGRITY", "series", "the pieces together are not the summary that they name")
    size = -(-len(data) // number)
    if number != -(-len(data) // PIECE_BYTES) or any(len(pieces[piece]) != size for piece in range(1, number)):
        raise format_fault("series-line", "the summary is cut otherwise than it is to be")
    return data


def check_letters(number, letters):
    return base64.b32encode(hashlib.sha256((number + letters).encode()).digest()).decode()[:2]


def dictated(words):
    """The bytes of dictated lines; how they were spaced does not matter."""
    whole = ""
    for line in words.split("\n"):
        line = line.split()
        if not line:
            continue
        number, letters, check = line[0], "".join(line[1:-1]), line[-1]
        if not re.fullmatch(r"[0-9]{2}", number) or not re.fullmatch(r"[A-Z2-7]{1,30}", letters):
            raise format_fault("series-line", "a line is none of a summary")
        if check_letters(number, letters) != check:
            raise Refusal("E-INTEGRITY", "series", f"line {number} was misheard")
        if int(number) != len(whole) // 30 + 1 or len(whole) % 30:
            raise Refusal("E-INCOMPLETE", "series", f"line {number} does not follow the one before")
        whole += letters
    padded = whole + "=" * (-len(whole) % 8)
    try:
        data = base64.b32decode(padded)
    except ValueError:
        raise format_fault("base32", "the lines are no base32") from None
    if base64.b32encode(data).decode() != padded:
        raise format_fault("base32", "the lines end in bits that mean nothing")
    return data


def bytes_of(data):
    if data[:1] == b"\x01":
        return data
    try:
        words = data.decode("ascii")
    except UnicodeDecodeError:
        raise format_fault("series-line", "this is no summary") from None
    return dictated(words) if re.match(r"\s*[0-9]{2} ", words) else series(words)


# --- Bytes --------------------------------------------------------------------------------------------------------

class Reader:
    """P in its order; integers in their shortest form."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise format_fault("summary", "the summary ends within a member")
        self.at += size
        return self.data[self.at - size:self.at]

    def byte(self):
        return self.take(1)[0]

    def integer(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift > 56:
                raise format_fault("summary", "a number is too long")
        if value > INTEGER_MAX or (byte == 0 and shift > 7):
            raise format_fault("summary", "a number is not in its shortest form, or above 2^53-1")
        return value

    def state(self):
        byte = self.byte()
        if byte & 7 > 5 or byte >> 3 & 3 > 2 or byte >> 6:
            raise format_fault("summary", f"the state byte {byte:#04x} means nothing")
        return {"state": STATES[byte & 7], "runs": RUNS[byte >> 3 & 3], "removed": bool(byte & 0x20), "minutes": self.age()}

    def age(self):
        """The least age in minutes that the byte stands for."""
        byte = self.byte()
        k, low = byte >> 3, byte & 7
        return ((8 | low) << k) - 8

    def list(self, item, size):
        number = self.integer()
        if number * size > len(self.data) - self.at:
            raise format_fault("summary", "a list is longer than the summary")
        return [item() for _ in range(number)]


def parse(data):
    reader = Reader(data)
    if reader.byte() != 1:
        raise format_fault("unsupported-version", "the summary is of another version")
    found = {"site": reader.take(4).hex(), "instance": reader.take(8).hex(), "number": reader.integer(), "head": reader.take(16).hex()}
    made = int.from_bytes(reader.take(4), "big")
    found["made_at"] = (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=made)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in ("records", "receipts", "audit"):
        found[name] = reader.integer()
    found["seal"] = reader.take(8).hex()
    for name in ("lost", "damaged", "refused"):
        found[name] = reader.integer()

    def local():
        return {"deployment": reader.take(8).hex(), **reader.state()}

    def release():
        one = {"head": reader.take(6).hex()}
        flags = reader.byte()
        if flags > 3 or flags == 2:
            raise format_fault("summary", f"the flags {flags:#04x} of a release mean nothing")
        one.update(live=bool(flags & 1), minutes=reader.age())
        if flags == 3:
            one["states"] = {state: reader.integer() for state in STATES}
            one["other_than_wanted"] = reader.integer()
        elif flags & 1:
            one["deployments"] = reader.list(reader.state, 2)
        if flags & 1:
            one["local"] = reader.list(local, 10)
        return one

    found["releases"] = reader.list(release, 8)
    if reader.at != len(data):
        raise format_fault("summary", "bytes follow the summary")
    if found["number"] == 0:
        raise format_fault("summary", "packages are numbered from 1 on")
    for names, what in (([one["head"] for one in found["releases"]], "a release"),
                        ([one["deployment"] for release in found["releases"] for one in release.get("local", ())], "a deployment made there")):
        if len(set(names)) != len(names):
            raise format_fault("summary", f"{what} is named twice")
    return found


def judge_summary(data, sites):
    """Series whole, id, site, signature, strict parse, in this order."""
    if len(data) > 64 * verify.KIB:
        raise Refusal("E-LIMIT", "summary-size", "a summary is not that large")
    data = bytes_of(data)
    if len(data) > PIECES * PIECE_BYTES:
        raise Refusal("E-LIMIT", "summary-size", f"a summary has {len(data)} bytes")
    if len(data) < 69:
        raise format_fault("summary", "the summary is too short to be one")
    signed, signature = data[:-64], data[-64:]
    meant = [(domain, site, keys) for (domain, site), keys in sites.keys.items() if bytes.fromhex(site)[:4] == signed[1:5]]
    if not meant:
        raise distrust("unknown-site", f"no site whose id begins with {signed[1:5].hex()} is enrolled")
    for domain, site, keys in meant:
        payload = bytes.fromhex(domain) + bytes.fromhex(site) + signed
        message = verify.pre_authentication(SUMMARY, payload)
        if verify.signature_holds(bytes.fromhex(keys[-1]["public"]), message, signature):
            return {**parse(signed), "site": site, "domain": domain, "bytes": len(data)}
    raise Refusal("E-SIGNATURE", "bad-signature", "no enrolled site of that name has signed the summary")
