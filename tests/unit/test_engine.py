"""The engine's pure parts: lexer, statements, framing, compressed blocks, Native's layout."""

from __future__ import annotations

import io
from pathlib import Path
from struct import pack

import pytest

from auditlane.local.engine import blocks, native, refusals
from auditlane.local.engine.body import Body
from auditlane.local.engine.cityhash import cityhash128
from auditlane.local.engine.compression import choose, compressor, decoded
from auditlane.local.engine.errors import EngineError, from_engine
from auditlane.local.engine.multipart import boundary, read
from auditlane.local.engine.request import Request
from auditlane.local.engine.sessions import Sessions
from auditlane.local.engine.spool import Spool
from auditlane.local.engine.statements import parse
from auditlane.local.engine.tokens import tokens, unquote

# Made with another implementation, go-faster/city, of byte(i * 7) for i below the length.
HASHES = {
    0: (0x3DF09DFC64C09A2B, 0x3CB540C392E51E29),
    1: (0xA04B71AB61DE6422, 0xF768684937E23970),
    3: (0x904C24441E897AE0, 0xEAD37D2C71AF49A5),
    7: (0x2AC1CB1E79A3033E, 0x1A511DB9333E0D88),
    8: (0x4F8F9BE1D179C9B5, 0x7AE37C19937D40E6),
    15: (0xA710A80537CF2D8D, 0xE533A7496F95EE85),
    16: (0x83EC0FAC4964837B, 0xD275575FABA34852),
    17: (0x6634B1E8522C943C, 0x84450A0FAA3EC883),
    32: (0xFC63F6C038692042, 0x1150D302127410D7),
    33: (0x460B9320DF3E669C, 0x07849D860850E2A4),
    100: (0x50A18D69EC80C550, 0xC8C048B8C5D1E364),
    143: (0xBEFD988D63110637, 0x794A5B6C2EC5832B),
    144: (0x692E4B2CA634B28A, 0x4FA73D4EEDD250CD),
    145: (0xD900EA1095B5E1EB, 0x9CD6B5E995016F8B),
    200: (0xD86306E495AF33E1, 0xDBF9F01063782843),
    300: (0xDB51129120EB68E5, 0xB914B72E3214660D),
    1000: (0x4253C6E06639463E, 0x2DF1AEA0EB8329D7),
}


@pytest.mark.parametrize("size", HASHES)
def test_cityhash_agrees_with_another_implementation(size: int) -> None:
    assert cityhash128(bytes(i * 7 & 255 for i in range(size))) == HASHES[size]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 /* a /* b */ c */ + 2", ["SELECT", "1", "+", "2"]),
        ("a -- b\nc # d\ne // f\ng #! h", ["a", "c", "e", "g"]),
        ("'it''s' 'a\\'b' $x$ ' $x$ `a``b` \"c\"", ["'it''s'", "'a\\'b'", "$x$ ' $x$", "`a``b`", '"c"']),
        ("‘ ' ’ “ ' ”", ["‘ ' ’", "“ ' ”"]),
        ("f('", ["f", "(", "'"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert [token.text.decode() for token in tokens(text.encode())] == expected


def test_unquote_resolves_escapes() -> None:
    assert [unquote(text) for text in (b"'a''b'", rb"'a\'b\n'", b"`a``b`", b"$t$a'b$t$")] == [
        "a'b",
        "a'b\n",
        "a`b",
        "a'b",
    ]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"INSERT INTO t FORMAT CSV\n1\n2", b"1\n2"),
        (b"INSERT INTO t FORMAT RowBinary\n\n\x00", b"\n\x00"),
        (b"INSERT INTO t FORMAT CSV 1\n", b"1\n"),
        (b"INSERT INTO t(a) VALUES(1)", b"(1)"),
        (b"insert into format(a) settings x = 1 format Native\n\x01", b"\x01"),
        (b"INSERT INTO values VALUES (1)", b"(1)"),
        (b"INSERT INTO {t:Identifier} FORMAT CSV\nx", b"x"),
        (b"INSERT INTO `a b`.`c` FORMAT CSV\r\nx", b"x"),
        (b"INSERT INTO t SELECT a AS format FROM input('a UInt8') FORMAT CSV\nx", b"x"),
        (b"INSERT INTO t SELECT a FROM input('a UInt8') WHERE a IN (SELECT 1 FORMAT CSV) FORMAT TSV\nx", b"x"),
    ],
)
def test_the_data_of_an_insert_begin_where_clickhouse_says(text: bytes, data: bytes) -> None:
    statement = parse(text)
    assert statement.data_at is not None
    assert text[statement.data_at :] == data


@pytest.mark.parametrize("text", [b"INSERT INTO t SELECT 1", b"INSERT INTO t SELECT format('{}', a), t.input FROM u"])
def test_an_insert_from_a_select_takes_no_data(text: bytes) -> None:
    assert not parse(text).takes_data


def test_rewriting() -> None:
    insert = parse(b"INSERT INTO t (a) SETTINGS x = 1 VALUES (1)")
    assert insert.from_file("/p") == "INSERT INTO t (a)\nFROM INFILE '/p'  SETTINGS x = 1  FORMAT Values"
    guarded = parse(b"INSERT INTO t SELECT a FROM input('a UInt8') WHERE a > 1 FORMAT CSV\n1")
    assert guarded.input is not None
    assert guarded.input.structure == "a UInt8"
    assert guarded.from_table("i") == "INSERT INTO t SELECT a FROM i WHERE a > 1 "
    select = parse(b"SELECT 1 AS format FORMAT CSV SETTINGS x = 1;")
    assert select.into_file("/p", "TSV") == "SELECT 1 AS format \nINTO OUTFILE '/p' TRUNCATE FORMAT CSV SETTINGS x = 1"
    plain = parse(b"SELECT 1 -- format CSV")
    assert plain.into_file("/p", "TSV") == "SELECT 1\nINTO OUTFILE '/p' TRUNCATE FORMAT TSV"


@pytest.mark.parametrize(
    "structure", ["a UInt8) ENGINE = Memory AS SELECT (1", "a UInt8; b", "a UInt8 DEFAULT file('x')", "(a"]
)
def test_a_structure_is_columns_and_nothing_else(structure: str) -> None:
    with pytest.raises(EngineError):
        refusals.check_structure(structure)


def test_an_engine_error_keeps_code_and_name_once() -> None:
    error = from_engine("Code: 117. DB::Exception: Code: 117. DB::Exception: bad (version 26.9.2.1). (INCORRECT_DATA)")
    assert (error.code, error.name, error.status) == (117, "INCORRECT_DATA", 400)
    assert error.text.startswith("Code: 117. DB::Exception: bad")
    assert error.text.count("INCORRECT_DATA") == 1
    assert from_engine("something else").status == 500


_ONE = pack("<Q", 1)


def body(data: bytes, length: str | None = None, transfer: str | None = None) -> bytes:
    return b"".join(bytes(piece) for piece in Body(io.BytesIO(data), length=length, transfer=transfer))


def test_framing() -> None:
    assert body(b"abc", length="3") == b"abc"
    assert body(b"abc") == b""
    assert body(b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n", transfer="chunked") == b"abcde"


@pytest.mark.parametrize("cut", range(len(b"3\r\nabc\r\n0\r\n\r\n")))
def test_every_cut_of_a_chunked_body_is_seen(cut: int) -> None:
    with pytest.raises(EngineError):
        body(b"3\r\nabc\r\n0\r\n\r\n"[:cut], transfer="chunked")


@pytest.mark.parametrize("name", ["lz4", "zstd", "gzip", "deflate"])
def test_every_cut_of_a_compressed_body_is_seen(name: str) -> None:
    stream = compressor(name)
    whole = stream.compress(b"hello " * 20) + stream.flush()
    assert b"".join(bytes(piece) for piece in decoded([memoryview(whole)], name)) == b"hello " * 20
    for cut in range(1, len(whole)):
        with pytest.raises(EngineError):
            list(decoded([memoryview(whole)[:cut]], name))


def test_the_encoding_is_one_that_is_accepted() -> None:
    assert choose("gzip, zstd;q=0.5") == "zstd"
    assert choose("lz4;q=0, gzip") == "gzip"
    assert choose("br") == ""


@pytest.mark.parametrize("method", ["LZ4", "ZSTD"])
def test_blocks_round_trip_and_show_damage(method: str) -> None:
    packer = blocks.BlockCompressor(method)
    whole = packer.compress(b"a" * 1000) + packer.compress(b"b" * 10)
    assert b"".join(blocks.unblocked([whole[:30], whole[30:]])) == b"a" * 1000 + b"b" * 10
    for spoiled in (whole[:-1], whole[:20], whole[:25] + b"\xff" + whole[26:], b"x" * 60):
        with pytest.raises(EngineError):
            list(blocks.unblocked([spoiled]))


def test_a_native_block_gets_info_and_a_mark_for_each_column() -> None:
    strings = b"\x01x\x02yy"
    keys = pack("<QQQ", 1, 0x600, 1) + b"\x01k" + pack("<Q", 2) + b"\x00\x00"
    block = b"\x02\x02\x01a\x06String" + strings + b"\x01b\x16LowCardinality(String)" + keys
    out = b"".join(native.versioned([block[:9], block[9:20], block[20:]], 54454))
    info = b"\x01\x00\x02\xff\xff\xff\xff\x00"
    assert out == info + b"\x02\x02\x01a\x06String\x00" + strings + b"\x01b\x16LowCardinality(String)\x00" + keys
    assert b"".join(native.versioned([block, block], 54405)) == (info + block) * 2


@pytest.mark.parametrize(
    ("kind", "rows", "data"),
    [
        ("Nullable(UInt32)", 2, b"\0\1" + bytes(8)),
        ("Array(Array(UInt8))", 2, pack("<QQ", 1, 2) + pack("<QQ", 2, 3) + b"abc"),
        # The dictionary's version, offsets; the keys' flags, dictionary and indexes; the values' nulls and text.
        (
            "Map(LowCardinality(String), Nullable(String))",
            1,
            pack("<QQQQ", 1, 1, 0x600, 1) + b"\1k" + _ONE + b"\0\0\1v",
        ),
        ("Tuple(a UInt8, `b c` String)", 1, b"\1\1x"),
        ("Enum8('a, b' = 1, 'c)' = 2)", 3, b"\1\2\1"),
        ("DateTime64(6, 'UTC')", 1, bytes(8)),
        ("Decimal(38, 2)", 1, bytes(16)),
        ("FixedString(3)", 2, bytes(6)),
        ("SimpleAggregateFunction(sum, UInt64)", 1, bytes(8)),
        ("Point", 1, bytes(16)),
    ],
)
def test_the_length_of_a_column(kind: str, rows: int, data: bytes) -> None:
    name = kind.encode()
    block = b"\x01" + bytes([rows]) + b"\x01c" + bytes([len(name)]) + name + data
    out = b"".join(native.versioned([block, b"\x00\x00"], 1))
    assert out.endswith(data + b"\x01\x00\x02\xff\xff\xff\xff\x00\x00\x00")


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(EngineError, match="cast it"):
        native.parse_type("AggregateFunction(sum, UInt64)")


def test_a_form_is_read_whole_or_not() -> None:
    edge = boundary('multipart/form-data; boundary="x y"')
    assert edge == b"x y"
    whole = (
        b'--x y\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT 1\r\n'
        b'--x y\r\nContent-Disposition: form-data; name="t"; filename="t.csv"\r\n\r\n1\r\n\r\n--x y--\r\n'
    )
    form = read([whole], edge)
    assert (form.fields, form.files) == ({"query": "SELECT 1"}, {"t": b"1\r\n"})
    with pytest.raises(EngineError):
        read([whole[:-8]], edge)


def test_a_session_is_one_request_at_a_time_and_ends() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    request = Request(session_id="s", session_timeout=10)
    with sessions.entered(request) as session:
        assert session is not None
        session.said.append("SET max_threads = 1")
        with pytest.raises(EngineError, match="locked"), sessions.entered(request):
            pass
    with sessions.entered(request) as session:
        assert session is not None
        assert session.said == ["SET max_threads = 1"]
    now[0] = 11.0
    with pytest.raises(EngineError, match="not found"), sessions.entered(Request(session_id="s", session_check=True)):
        pass


def test_a_spool_moves_to_a_file_and_leaves_nothing(tmp_path: Path) -> None:
    with Spool(tmp_path, memory_limit=10) as spool:
        for piece in (b"abcdef", b"ghijkl", b"mn"):
            spool.write(piece)
        assert spool.size == 14
        with Path(spool.path).open("rb") as again:
            assert again.read() == b"abcdefghijklmn"
        assert b"".join(spool.pieces()) == b"abcdefghijklmn"
    assert list(tmp_path.iterdir()) == []
