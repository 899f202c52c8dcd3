"""Reads the Arrow file that tests/export.rs has left in a folder, as other programs would."""

import sys
from pathlib import Path

import numpy
import pyarrow
import pyarrow.ipc

folder = Path(sys.argv[1])
table = pyarrow.ipc.open_file(folder / "index.arrow").read_all()
vectors = numpy.fromfile(folder / "vectors.f32", dtype="<f4").reshape(-1, 6)
rows = [row for row in range(5000) if row != 17]

assert table.num_rows == len(rows) == len(vectors), table.num_rows
assert table.schema.metadata == {b"model": b"test-model"}, table.schema.metadata
assert table.schema.field("id").type == pyarrow.string()
assert table.schema.field("vector").type.equals(
    pyarrow.list_(pyarrow.field("item", pyarrow.float32(), nullable=False), 6)
), table.schema.field("vector").type
assert [(f.name, str(f.type)) for f in table.schema][2:] == [
    ("age", "double"),
    ("metadata_id", "string"),
    ("mixed", "string"),
    ("portable", "bool"),
], table.schema

found = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, 6)
assert found.tobytes() == vectors.tobytes(), "vectors differ"
assert abs(numpy.linalg.norm(found, axis=1) - 1).max() < 1e-6
columns = table.drop_columns(["vector"]).to_pydict()
assert columns["id"] == [f"image {row}" for row in rows]
assert columns["age"] == [row % 90 for row in rows]
assert columns["metadata_id"] == [f"patient {row % 7}" for row in rows]
assert columns["mixed"] == ["1.5" if row % 2 else "even" for row in rows]
assert columns["portable"] == [None if row % 3 else row % 2 == 0 for row in rows]
print(f"{table.num_rows} rows read back: {', '.join(table.schema.names)}")
