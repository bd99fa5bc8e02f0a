"""Which of an index's signatures are good, and what is wrong with the others.

Knows: OpenPGP (RFC 9580), through the library ``pysequoia`` (docs/adr/0026).
Must not know: whose keys are trusted, what an index says.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter

from attrs import field, frozen
from pysequoia import ArmorKind, Cert, Sig, armor, verify
from pysequoia.packet import HashAlgorithm, Packet, PacketPile, Tag

from rvbuild.kinds.debian.signed_index import SignedIndex

_CLOCK_SKEW = dt.timedelta(seconds=10)
_WEAK = (
    (HashAlgorithm.MD5, "MD5"),
    (HashAlgorithm.SHA1, "SHA-1"),
    (HashAlgorithm.RipeMD, "RIPEMD-160"),
)


@frozen
class Keys:
    """OpenPGP certificates, by the fingerprint and the id of each of their keys."""

    certificates: Mapping[str, Cert] = field(factory=dict)

    @classmethod
    def read(cls, data: bytes) -> Keys:
        """A keyring, armored or binary.

        Raises:
            ValueError: it is none.
        """
        try:
            certificates = Cert.split_bytes(data)
        except RuntimeError as error:
            raise ValueError(_cause(error)) from None
        return cls.of(certificates)

    @classmethod
    def of(cls, certificates: Iterable[Cert]) -> Keys:
        """A keyring with these certificates."""
        return cls({name: each for each in certificates for name in _names(each)})

    @classmethod
    def union(cls, parts: Iterable[Keys]) -> Keys:
        """All certificates of several keyrings; two copies of one have what either has."""
        merged: dict[str, Cert] = {}
        for part in parts:
            for cert in {each.fingerprint: each for each in part.certificates.values()}.values():
                known = merged.get(cert.fingerprint)
                merged[cert.fingerprint] = known.merge(cert) if known else cert
        return cls.of(merged.values())

    def only(self, fingerprints: Iterable[str]) -> Keys:
        """The certificates to which keys with these fingerprints belong."""
        wanted = (self.certificates.get(each.lower().rstrip("!")) for each in fingerprints)
        return Keys.of(cert for cert in wanted if cert)


@frozen(kw_only=True)
class Judgement:
    """What the signatures of an index are worth.

    Attributes:
        good: Fingerprints of the keys that signed the text, and count.
        text: What they signed; empty if none did.
        wrong: For each signature by a known key that is not of this text, what is wrong.
        worthless: For each other signature by a known key, why it does not count.
        foreign: Names of keys that are not known.
    """

    good: tuple[str, ...] = ()
    text: str = ""
    wrong: tuple[str, ...] = ()
    worthless: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """As apt has it: one good signature is needed, and none may be wrong."""
        return bool(self.good) and not self.wrong

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with each signature that is not good, the worst first."""
        foreign = (f"nobody here trusts the key {name.upper()}" for name in self.foreign)
        return (*self.wrong, *self.worthless, *foreign)


def judge(index: SignedIndex, keys: Keys, now: dt.datetime, *, past: bool = False) -> Judgement:
    """Look at every signature of an index.

    Args:
        index: What an archive sent.
        keys: Those that count.
        now: The time.
        past: Whether the index is one of the past on purpose: then a key must have been good when
            it signed, else it must be good now.
    """
    signed = dict[str, str]()
    wrong, worthless, foreign = [], [], []
    for packet in _signatures(index.signatures):
        name = (packet.issuer_fingerprint or packet.issuer_key_id or "without a name").lower()
        cert = keys.certificates.get(name)
        if cert is None:
            foreign.append(name)
            continue
        fault = _weakness(packet, now) or _end_of_key(cert, name, None if past else now)
        if fault:
            worthless.append(fault)
            continue
        text = _signed_text(index, packet, cert)
        if text is None:
            wrong.append(f"the signature by the key {name.upper()} is not one of this text")
        else:
            signed[name] = text
    return Judgement(
        good=tuple(signed),
        text=next(iter(signed.values()), ""),
        wrong=tuple(wrong),
        worthless=tuple(worthless),
        foreign=tuple(foreign),
    )


def _signatures(data: bytes) -> Iterator[Packet]:
    try:
        packets = list(PacketPile.from_bytes(data)) if data else []
    except RuntimeError:  # damaged, or nothing: so there is no signature
        return
    yield from (packet for packet in packets if packet.tag == Tag.Signature)


def _names(cert: Cert) -> Iterator[str]:
    for packet in PacketPile.from_bytes(bytes(cert)):
        if packet.fingerprint and packet.key_id:
            yield packet.fingerprint.lower()
            yield packet.key_id.lower()


def _weakness(packet: Packet, now: dt.datetime) -> str:
    """Why such a signature is worth nothing, whosever it is; empty if it is not."""
    weak = next((name for hash_, name in _WEAK if hash_ == packet.hash_algorithm), "")
    if weak:
        return f"it is signed with {weak}, which can be forged"
    begin, end = packet.signature_created, packet.signature_expiration_time
    if end and end <= now:
        return f"its signature expired on {_day(end)}"
    if begin and begin > now + _CLOCK_SKEW:
        return f"its signature is of {_day(begin)}, in the future by this machine's clock"
    return ""


def _end_of_key(cert: Cert, name: str, now: dt.datetime | None) -> str:
    """How the key ended; empty if it did not. Whether it expired is asked if there is a ``now``."""
    if cert.is_revoked:
        return f"the key {name.upper()} was revoked"
    ends = [end for end in (cert.expiration, _end_of_subkey(cert, name)) if end]
    if now and ends and min(ends) <= now:
        return f"the key {name.upper()} expired on {_day(min(ends))}"
    return ""


def _end_of_subkey(cert: Cert, name: str) -> dt.datetime | None:
    """When a subkey expires by the last signature that binds it; None if it does not."""
    key: Packet | None = None
    bindings: list[tuple[dt.datetime, dt.datetime | None]] = []
    for packet in PacketPile.from_bytes(bytes(cert)):
        if packet.tag == Tag.PublicSubkey:
            key = packet if name in {packet.fingerprint, packet.key_id} else None
        elif key and key.key_created and packet.signature_created:
            period = packet.key_validity_period
            bindings.append(
                (packet.signature_created, key.key_created + period if period else None)
            )
    return max(bindings, key=itemgetter(0))[1] if bindings else None


def _signed_text(index: SignedIndex, packet: Packet, cert: Cert) -> str | None:
    """The text that the certificate signed; None if the signature is not one of the index's."""
    try:
        if not index.clear:
            verify(index.text, lambda _: [cert], signature=Sig.from_bytes(bytes(packet)))
            return index.plain
        hash_ = str(packet.hash_algorithm).rpartition(".")[2].replace("_", "-")
        head = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: {hash_}\n\n".encode()
        tail = armor(bytes(packet), ArmorKind.Signature).encode()
        text = verify(head + index.text + tail, lambda _: [cert]).bytes
        return text.decode(errors="replace") if text else None
    except RuntimeError:
        return None


def _day(moment: dt.datetime) -> str:
    return moment.date().isoformat()


def _cause(error: RuntimeError) -> str:
    """The library's words, without its stack."""
    return str(error).split("\n", 1)[0]
