"""What is kept of a person: written for this user alone, read with distrust, deleted on request."""

from __future__ import annotations

import stat

import numpy as np
import pytest

from expression_ros.personal.kept_persons import delete_person, save_person
from expression_ros.recognition.person import (
    Person,
    PersonError,
    load_person,
    person_names,
    person_path,
    persons_folder,
)


def somebody(name: str = "ada", count: int = 6) -> Person:
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    labels = tuple("neutral" if k % 2 else "happiness" for k in range(count))
    return Person(name, vectors, labels, np.arange(count) // 3, "f" * 64, 3.0)


def test_a_person_comes_back_as_saved(tmp_path):
    saved = somebody()
    path = save_person(saved, tmp_path)
    loaded = load_person("ada", tmp_path)
    np.testing.assert_array_equal(loaded.vectors, saved.vectors)
    np.testing.assert_array_equal(loaded.sessions, saved.sessions)
    assert (loaded.labels, loaded.descriptor, loaded.strength) == (saved.labels, "f" * 64, 3.0)
    assert loaded.counts() == {"happiness": 3, "neutral": 3}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600  # described faces are personal data
    assert person_names(tmp_path) == ["ada"]
    assert [p.name for p in tmp_path.iterdir()] == ["ada.npz"]  # no half-written file stays


def test_the_folder_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert persons_folder() == tmp_path / "expression_ros" / "persons"
    assert person_names() == []
    save_person(somebody())
    assert person_path("ada").is_file()


@pytest.mark.parametrize("name", ["", "../ada", "a/b", "-rf", "a b", "x" * 65, ".hidden"])
def test_a_name_that_could_be_another_file_is_refused(name, tmp_path):
    with pytest.raises(PersonError, match="is not a name for a person"):
        load_person(name, tmp_path)


def test_nobody_of_this_name_lists_who_is_known(tmp_path):
    save_person(somebody("grace"), tmp_path)
    with pytest.raises(PersonError, match=r"nobody is called ada \(known: grace\)"):
        load_person("ada", tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x80\x04K\x01."])
def test_a_damaged_file_is_named_with_the_remedy(content, tmp_path):
    person_path("ada", tmp_path).write_bytes(content)
    with pytest.raises(PersonError, match=r"ada\.npz cannot be used: .*--delete"):
        load_person("ada", tmp_path)


def test_nothing_is_unpickled(tmp_path):
    arrays = dict(
        format=1, vectors=np.array([object()]), labels=np.array(["neutral"]), sessions=[0],
        descriptor="", strength=1.0,
    )  # fmt: skip
    np.savez(person_path("ada", tmp_path), **arrays)
    with pytest.raises(PersonError, match="cannot be used"):
        load_person("ada", tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"vectors": np.zeros(3)}, {"vectors": np.full((1, 8), np.nan)}, {"strength": 0.0},
     {"sessions": np.zeros(2)}, {"labels": np.array(["bored"])}, {"format": 99}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(change, tmp_path):
    arrays = dict(
        format=1, vectors=np.zeros((1, 8)), labels=np.array(["neutral"]), sessions=np.zeros(1),
        descriptor="", strength=1.0,
    )  # fmt: skip
    np.savez(person_path("ada", tmp_path), **{**arrays, **change})
    with pytest.raises(PersonError, match="cannot be used"):
        load_person("ada", tmp_path)


def test_deleting_leaves_nothing(tmp_path):
    path = save_person(somebody(), tmp_path)
    assert delete_person("ada", tmp_path) == path
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PersonError, match="ada cannot be deleted"):
        delete_person("ada", tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PersonError, match="cannot be written"):
        save_person(somebody(), tmp_path / "file" / "persons")
