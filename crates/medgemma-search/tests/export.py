"""Reads what tests/export.rs has written into a folder, as other programs would.

The recipes of the crate's README, and a check of every value. Prints a line for each reader.
"""

import sys
from pathlib import Path

import lancedb
import numpy
import pyarrow
import pyarrow.ipc
import pyarrow.parquet
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointsList, PointStruct, VectorParams

DIMENSION = 6
# Of the README's recipe for Qdrant, whose server takes requests of 32 MiB unless told otherwise.
BATCH = 256
LONGEST = 32 << 20
ROWS = [row for row in range(20_000) if row != 17]

folder = Path(sys.argv[1])
vectors = numpy.fromfile(folder / "vectors.f32", dtype="<f4").reshape(-1, DIMENSION)
# As near to the last image as anything can be: there are others like it.
query = vectors[-1]


def check(name, table):
    assert table.num_rows == len(ROWS) == len(vectors), table.num_rows
    assert table.schema.metadata[b"model"] == b"test-model", table.schema.metadata
    assert table.schema.field("id").type == pyarrow.string()
    vector = table.schema.field("vector").type
    assert pyarrow.types.is_fixed_size_list(vector), vector
    assert vector.list_size == DIMENSION and vector.value_type == pyarrow.float32(), vector
    assert [(f.name, str(f.type)) for f in table.schema][2:] == [
        ("metadata__rowid", "double"),
        ("metadata__distance", "double"),
        ("age", "double"),
        ("exam_year", "double"),
        ("metadata_id", "string"),
        ("mixed", "string"),
        ("portable", "bool"),
    ], table.schema
    found = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, DIMENSION)
    assert found.tobytes() == vectors.tobytes(), "vectors differ"
    assert abs(numpy.linalg.norm(found, axis=1) - 1).max() < 1e-6
    columns = table.drop_columns(["vector"]).to_pydict()
    assert columns["id"] == [f"image {row}" for row in ROWS]
    assert columns["metadata__rowid"] == [row % 3 for row in ROWS]
    assert columns["metadata__distance"] == [row % 5 for row in ROWS]
    assert columns["age"] == [row % 90 for row in ROWS]
    assert columns["exam_year"] == [2000 + row % 20 for row in ROWS]
    assert columns["metadata_id"] == [f"patient {row % 7}" for row in ROWS]
    assert columns["mixed"] == ["1.5" if row % 2 else "even" for row in ROWS]
    assert columns["portable"] == [None if row % 3 else row % 2 == 0 for row in ROWS]
    print(f"{name}: {table.num_rows} rows, {', '.join(table.schema.names)}")


def lance():
    """The README's recipe for LanceDB."""
    database = lancedb.connect(folder / "lance")
    file = pyarrow.ipc.open_file(pyarrow.memory_map(str(folder / "index.arrow")))
    taken = []

    def batches():
        for batch in (file.get_batch(at) for at in range(file.num_record_batches)):
            taken.append(batch.num_rows)
            yield batch

    # A generator, so that the export is never in memory as a whole.
    table = database.create_table("images", batches(), schema=file.schema)
    assert len(taken) == file.num_record_batches > 1 and sum(taken) == len(ROWS), taken
    hits = table.search(query).distance_type("cosine").where("age < 30").limit(5).to_list()
    assert len(hits) == 5 and all(hit["age"] < 30 for hit in hits), hits
    assert all(abs(hit["_distance"]) < 1e-5 for hit in hits), hits
    again = database.create_table(
        "again", pyarrow.parquet.read_table(folder / "index.parquet")
    )
    assert again.count_rows() == table.count_rows()
    print(f"lancedb: {table.count_rows()} rows")


def qdrant():
    """The README's recipe for Qdrant, with a collection in memory for a server's."""
    client = QdrantClient(":memory:")
    client.create_collection(
        "images", VectorParams(size=DIMENSION, distance=Distance.COSINE)
    )
    file = pyarrow.parquet.ParquetFile(folder / "index.parquet")
    first = 0
    for batch in file.iter_batches(batch_size=BATCH):
        rows = batch.to_pylist()
        client.upsert(
            "images",
            [
                PointStruct(id=first + at, vector=row.pop("vector"), payload=row)
                for at, row in enumerate(rows)
            ],
        )
        first += len(rows)
    (hit, *_) = client.query_points("images", query=query.tolist(), limit=1).points
    assert abs(hit.score - 1) < 1e-5 and hit.payload["id"].startswith("image "), hit
    print(f"qdrant: {client.count('images').count} rows")


def request():
    """A request of the recipe is short enough at MedSigLIP's 1152 numbers, here of any digits."""
    numbers = numpy.random.default_rng(1).standard_normal((BATCH, 1152), dtype=numpy.float32)
    numbers /= numpy.linalg.norm(numbers, axis=1, keepdims=True)
    rows = pyarrow.array(list(numbers)).to_pylist()
    path = "/archive/" + "x" * 300 + ".png"
    payload = {"id": "0" * 64, "file": path, "folder": path, "path": path}
    points = [PointStruct(id=at, vector=row, payload=payload) for at, row in enumerate(rows)]
    length = len(PointsList(points=points).model_dump_json().encode())
    assert length < LONGEST, length
    print(f"request: {length} bytes")


check("arrow", pyarrow.ipc.open_file(folder / "index.arrow").read_all())
check("parquet", pyarrow.parquet.read_table(folder / "index.parquet"))
parquet = pyarrow.parquet.ParquetFile(folder / "index.parquet")
assert parquet.metadata.num_row_groups == 2, "what is held in memory is bounded"
lance()
qdrant()
request()
