"""What the comparison of readers has found, each with its right answer."""

from __future__ import annotations

import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.connectors.readers import ours
from tests.connectors.readers.made import Refused, Table


def _read(path: Path, **more: Any) -> Table | Refused:
    return ours.read(path, **more)


def test_texts_in_lists_of_several_row_groups_are_read(tmp_path: Path) -> None:
    inner = pa.list_(pa.struct([("k", pa.string()), ("v", pa.list_(pa.float64()))]))
    values = [[{"k": f"k{i}", "v": [i / 4]}] for i in range(10)]
    pq.write_table(pa.table({"a": pa.array(values, inner)}), tmp_path / "a.parquet", row_group_size=3)
    found = _read(tmp_path / "a.parquet")
    assert isinstance(found, Table)
    assert found.columns == [values]


def test_texts_in_lists_whose_dictionary_is_given_up_are_read(tmp_path: Path) -> None:
    values = [[{"k": f"{i}" * 50}] for i in range(3000)]
    table = pa.table({"a": pa.array(values, pa.list_(pa.struct([("k", pa.string())])))})
    pq.write_table(table, tmp_path / "a.parquet", dictionary_pagesize_limit=1000, data_page_size=1000)
    found = _read(tmp_path / "a.parquet")
    assert isinstance(found, Table)
    assert found.columns == [values]


def test_halves_are_floats(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([0.5, -2.0], "<f2"))
    found = _read(tmp_path / "a.npy")
    assert isinstance(found, Table)
    assert (found.columns, found.types) == ([[0.5, -2.0]], ["float32"])


@pytest.mark.parametrize(
    "header",
    [
        b"{'fortran_order': False,\n",
        b"|b\x0f\n",
        b"{defxxx\n",
        b"(((((\n",
        b"'\n",
        b"\n",
        b"{'descr': '<M8[us]', 'fortran_order': False,b'shape': (1,), }\n",
        b"{1: 2, 'descr': 3, None: ()}\n",
        b"{'descr': '<f8', 'fortran_order': 1, 'shape': 5}\n",
        b"{'descr': [(1, 2)], 'fortran_order': False, 'shape': ()}\n",
        b"[1]\n",
        b"{'descr': '<f8' * 9, 'shape': (1,)}\n",
    ],
)
def test_a_broken_header_of_numpy_is_told(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + b"\0" * 16)
    found = _read(tmp_path / "a.npy")
    assert isinstance(found, Refused)
    assert found.code == "file_damaged"


@pytest.mark.parametrize("content", [b"\n", b" \r\n\n", b""])
def test_lines_without_an_object_have_no_columns(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    found = _read(tmp_path / "a.jsonl")
    assert isinstance(found, Refused)
    assert found.code == "schema_mismatch"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0, 2_932_897], pa.int32()).cast(pa.date32()),
        pa.array([0, -719_163], pa.int32()).cast(pa.date32()),
        pa.array([0, 253_402_300_800_000_000]).cast(pa.timestamp("us")),
        pa.array([0, -(2**62)]).cast(pa.timestamp("us", "UTC")),
        pa.array([[0], [2_932_897]], pa.list_(pa.int32())).cast(pa.list_(pa.date32())),
        pa.array([0, 253_402_300_800]).cast(pa.timestamp("s")),
    ],
)
def test_days_and_times_that_no_calendar_has_are_bad_rows(tmp_path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"a": column}), tmp_path / "a.parquet")
    found = _read(tmp_path / "a.parquet")
    assert isinstance(found, Refused)
    assert found.code == "bad_row"
    assert "row 2" in found.message
    rest = _read(tmp_path / "a.parquet", params={"on_bad_row": "reject"})
    assert isinstance(rest, Table)
    assert rest.rows == 1


@pytest.mark.parametrize("days", [-719_162, 2_932_896])
def test_the_first_and_the_last_day_are_read(tmp_path: Path, days: int) -> None:
    pq.write_table(pa.table({"a": pa.array([days], pa.int32()).cast(pa.date32())}), tmp_path / "a.parquet")
    assert isinstance(_read(tmp_path / "a.parquet"), Table)


@pytest.mark.parametrize("code", [0xD800, 0xDFFF, 0x110000, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", ["<U2", ">U2"])
def test_numbers_that_are_no_characters_are_told_with_their_row(tmp_path: Path, code: int, kind: str) -> None:
    values = np.array([[65, 66], [65, code]], f"{kind[0]}u4")
    np.save(tmp_path / "a.npy", values.view(kind).reshape(-1))
    found = _read(tmp_path / "a.npy")
    assert isinstance(found, Refused)
    assert found.code == "file_damaged"
    assert "row 2, column 'value'" in found.message


def test_days_of_numpy_beyond_32_bits_are_bad_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([0, 4063501806087436789, -(2**62), -(2**63)], np.int64).view("M8[D]"))
    found = _read(tmp_path / "a.npy")
    assert isinstance(found, Refused)
    assert "row 2" in found.message
    rest = _read(tmp_path / "a.npy", params={"on_bad_row": "reject"})
    assert isinstance(rest, Table)
    assert [value is None for value in rest.columns[0]] == [False, True]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("a,b\nx,1\n\ufeff,2\n", ["x", "\ufeff"]),
        ("a,b\nx,1\n\ufeffy,2\n", ["x", "y"]),
        ("a,b\nx,1\n\ufeff\ufeff,2\n", ["x", "\ufeff\ufeff"]),
        ("a\nx\n\ufeff", ["x", "\ufeff"]),
    ],
)
def test_a_field_that_is_nothing_but_a_mark_is_a_value(tmp_path: Path, content: str, values: list[str]) -> None:
    (tmp_path / "a.csv").write_text(content)
    found = _read(tmp_path / "a.csv")
    assert isinstance(found, Table)
    assert found.columns[0] == values
    for block in range(1, len(content) + 3):
        pieces = _read(tmp_path / "a.csv", block=block, part=block)
        assert isinstance(pieces, Table)
        assert pieces.columns == found.columns, block


@pytest.mark.parametrize("words", [["12E3", "1E5"], ["10e6"], ["007", "1"], ["+5"], ["-01"], [" 1"], ["1 "], ["0x1f"]])
def test_words_that_would_lose_their_shape_as_numbers_stay_text(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f"{word},1\n" for word in words))
    found = _read(tmp_path / "a.csv")
    assert isinstance(found, Table)
    assert (found.types[0], found.columns[0]) == ("string", words)
    declared = _read(tmp_path / "a.csv", params={"columns": {"a": "float64"}})
    if words != ["0x1f"]:
        assert isinstance(declared, Table)
        assert declared.columns[0] == [float(word) for word in words]


@pytest.mark.parametrize(
    ("words", "values"), [(["1e5", "2e-3"], [1e5, 2e-3]), (["1E+05"], [1e5]), (["12E-3"], [0.012])]
)
def test_powers_of_ten_as_programs_write_them_are_numbers(
    tmp_path: Path, words: list[str], values: list[float]
) -> None:
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f"{word},1\n" for word in words))
    found = _read(tmp_path / "a.csv")
    assert isinstance(found, Table)
    assert (found.types[0], found.columns[0]) == ("float64", values)


def test_fractions_of_json_are_single_floats_where_that_is_declared(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a":0.1}\n{"a":-3}\n{"a":"2.5"}\n')
    found = _read(tmp_path / "a.jsonl", params={"columns": {"a": "float32"}})
    assert isinstance(found, Table)
    assert found.columns == [[float(np.float32(0.1)), -3.0, 2.5]]
    (tmp_path / "a.jsonl").write_text('{"a":16777217}\n')
    refused = _read(tmp_path / "a.jsonl", params={"columns": {"a": "float32"}})
    assert isinstance(refused, Refused)
    assert "'16777217' is not a float32" in refused.message


def test_json_without_any_row_that_can_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a":1,"a":2}\n{"b":1,"b":2}\n')
    found = _read(tmp_path / "a.jsonl", params={"on_bad_row": "reject"})
    assert isinstance(found, Refused)
    assert "No row of" in found.message
    assert "row 1 is no JSON object: the name 'a' is there twice" in found.message


@pytest.mark.parametrize(("name", "told"), [("a.json", "no json file"), ("a.parquet", "no parquet file")])
def test_empty_files_are_told_in_words_of_their_format(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / name).write_bytes(b"")
    found = _read(tmp_path / name)
    assert isinstance(found, Refused)
    assert told in found.message
    assert "header" not in found.message


def test_headers_that_python_2_wrote_are_read_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (2L,), }\n"
    (tmp_path / "a.npy").write_bytes(
        b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + np.array([1, 2], "<i8").tobytes()
    )
    found = _read(tmp_path / "a.npy")
    assert isinstance(found, Table)
    assert found.columns == [[1, 2]]
    assert not recwarn.list


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_decimals_of_more_digits_than_their_type_are_bad_rows(tmp_path: Path, inside: bool, sign: int) -> None:
    most = Decimal(10**20 - 1).scaleb(-2)
    fitting = pa.array([most * sign, None, Decimal(0)], pa.decimal128(20, 2))
    wider = pa.array([most * sign, sign * 10**19, None, 1], pa.decimal128(38, 2))
    column = pa.Array.from_buffers(pa.decimal128(20, 2), 4, wider.buffers())
    for number, one in enumerate((fitting, column)):
        array = pa.ListArray.from_arrays(range(len(one) + 1), one) if inside else one
        pq.write_table(pa.table({"a": array}), tmp_path / f"{number}.parquet")
    good = _read(tmp_path / "0.parquet")
    assert isinstance(good, Table)
    assert good.columns[0][0] == ([most * sign] if inside else most * sign)
    bad = _read(tmp_path / "1.parquet")
    assert isinstance(bad, Refused)
    assert (bad.code, "row 2, column 'a'" in bad.message) == ("bad_row", True)
    rest = _read(tmp_path / "1.parquet", params={"on_bad_row": "reject"})
    assert isinstance(rest, Table)
    assert rest.rows == 3


def test_places_of_words_that_a_dictionary_has_not_are_told(tmp_path: Path) -> None:
    """Each byte of the dictionary's page is changed; one of them says how many words it has."""
    plain = pa.table({"a": ["w", "x", "y", "z"]})
    pq.write_table(plain, tmp_path / "a.parquet", compression="none", write_statistics=False)
    content = (tmp_path / "a.parquet").read_bytes()
    told = set()
    for place in range(4, 40):
        (tmp_path / "b.parquet").write_bytes(content[:place] + b"\x02" + content[place + 1 :])
        found = _read(tmp_path / "b.parquet")
        told.add(found.message if isinstance(found, Refused) else "")
    assert any("has 4 rows less than it says" in message for message in told)
    assert any("words that its dictionary has not" in message for message in told)
    assert not any("out of bounds" in message for message in told)


@pytest.mark.parametrize("shape", ["(-1,)", "(1, -3)", "(0, -5)", "(-2, -2)", "(True,)", "(-" + "9" * 30 + ",)"])
@pytest.mark.parametrize("packed", [False, True])
def test_shapes_of_numpy_that_no_array_has(tmp_path: Path, shape: str, packed: bool) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    array = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + b"\0" * 64
    if packed:
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("a.npy", array)
    else:
        (tmp_path / "a.npy").write_bytes(array)
    found = _read(tmp_path / ("a.npz" if packed else "a.npy"))
    assert isinstance(found, Refused)
    assert found.code == "file_damaged"
    assert "its header is none of NumPy's" in found.message


@pytest.mark.parametrize("blank", ["", "\n\n\n"])
def test_a_mark_below_lines_that_are_left_out_is_no_part_of_a_name(tmp_path: Path, blank: str) -> None:
    (tmp_path / "a.csv").write_text(f"sep=;\n\ufeff{blank}a;b\n1;2\n", encoding="utf-8")
    found = _read(tmp_path / "a.csv")
    assert isinstance(found, Table)
    assert (found.names, found.columns) == (["a", "b"], [[1], [2]])
    (tmp_path / "b.csv").write_text(f"of 2026\n\ufeff{blank}a,b\n1,2\n", encoding="utf-8")
    found = _read(tmp_path / "b.csv", params={"csv": {"skip_rows": 1}})
    assert isinstance(found, Table)
    assert (found.names, found.columns) == (["a", "b"], [[1], [2]])


@pytest.mark.parametrize("kind", ["{}", "[]", "'<V0'", "'|S0'", "'<U0'"])
def test_values_of_numpy_without_bytes_are_refused(tmp_path: Path, kind: str) -> None:
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': (3,), }}".ljust(117).encode() + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + b"\0" * 64)
    found = _read(tmp_path / "a.npy")
    assert isinstance(found, Refused)
    assert (found.code, "have no bytes" in found.message) == ("format_unknown", True)
