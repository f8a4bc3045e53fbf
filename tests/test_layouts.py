"""Data sets as they lie on a disk, each made here as a few small files, and what is wrong with some of them."""

import io
import json
import tarfile

import cv2
import numpy as np
import pytest
from conftest import draw_face

from faceparse_core.errors import FaceParseError
from faceparse_core.parts import BEARD, HEAD, PARTS
from faceparse_core.training import layouts
from faceparse_core.training.data import PairError, Pairs
from faceparse_core.training.labels import CELEBAMASK, EXACT, UNKNOWN
from faceparse_core.training.layouts import find_sets

SIZE = (240, 200)
TO_LAPA = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 10: 6, 12: 7, 11: 8, 13: 9, 17: 10}
TO_SYNTHETIC = {part: key for key, part in layouts.FACESYNTHETICS.items() if part != UNKNOWN}


def face() -> tuple[np.ndarray, np.ndarray]:
    """(photo BGR, part ids), 240 x 200."""
    labels = draw_face(SIZE)
    colors = np.array([part.color for part in PARTS], np.uint8)
    return np.ascontiguousarray(colors[labels][..., ::-1]), labels


def translated(labels: np.ndarray, ids: dict[int, int]) -> np.ndarray:
    out = np.zeros_like(labels)
    for part, key in ids.items():
        out[labels == part] = key
    return out


def write(path, picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def celebamask(folder) -> None:
    photo, labels = face()
    square, ids = cv2.resize(photo, (96, 96)), cv2.resize(labels, (48, 48), interpolation=cv2.INTER_NEAREST)
    for number in (0, 2001):
        write(folder / "CelebA-HQ-img" / f"{number}.jpg", square)
        for word, part in layouts.CELEBAMASK_PARTS.items():
            mask = ids == next(p.id for p in PARTS if p.name == part)
            if part == "head":  # features lie on the skin's mask, which has no holes there
                mask |= np.isin(ids, (2, 3, 4, 5, 10))
            if mask.any():
                name = f"{number:05}_{word}.png"
                grey = np.uint8(255) * mask
                write(folder / "CelebAMask-HQ-mask-anno" / str(number // 2000) / name, cv2.merge([grey] * 3))


def lapa(folder, ids=TO_LAPA, splits=("train", "val", "test")) -> None:
    photo, labels = face()
    for split in splits:
        write(folder / split / "images" / f"{split}_a.jpg", photo)
        write(folder / split / "labels" / f"{split}_a.png", translated(labels, ids))
        (folder / split / "landmarks").mkdir()
        (folder / split / "landmarks" / f"{split}_a.txt").write_text("106\n")


def ibugmask(folder) -> None:
    photo, labels = face()
    for split in ("train", "test"):
        write(folder / split / f"{split}_a.jpg", photo)
        write(folder / split / f"{split}_a.png", translated(labels, TO_LAPA))


def facesynthetics(folder) -> None:
    photo, labels = face()
    labels = labels.copy()
    labels[200:210, 90:110] = BEARD
    ids = translated(labels, TO_SYNTHETIC)
    ids[:8] = 255
    write(folder / "000003.png", photo)
    write(folder / "000003_seg.png", ids)
    (folder / "000003_ldmks.txt").write_text("0 0\n")


def plain(folder) -> None:
    photo, labels = face()
    write(folder / "a.jpg", photo)
    write(folder / "labels" / "a.png", labels)
    write(folder / "b.png", photo)
    write(folder / "b_labels.png", labels)
    write(folder / "c.webp", photo)
    write(folder / "c.png", labels)


def tarred(folder, target) -> None:
    with tarfile.open(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.add(file, str(file.relative_to(folder)))


LAYOUTS = {
    "celebamask": (celebamask, 2, {part: CELEBAMASK[part] for part in (0, 1, 17)}),
    "lapa": (lapa, 1, {1: {1, 6, 7, 8, 9, 14, 19}, 3: {3, 6}, 10: {6, 10}}),
    "ibugmask": (ibugmask, 1, {1: {1, 6, 7, 8, 9, 14, 19}}),
    "facesynthetics": (facesynthetics, 1, EXACT),
    "plain": (plain, 3, EXACT),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_told_by_what_lies_there(tmp_path, layout, packed):
    make, count, meanings = LAYOUTS[layout]
    source = tmp_path / "some data"
    source.mkdir()
    make(source)
    if packed:
        tarred(source, tmp_path / "some.tar")
        source = tmp_path / "some.tar"
    sets = find_sets(source)
    pairs = Pairs(sets)
    assert len(pairs) == count
    assert not pairs.broken
    assert [one.rendered for one in sets] == [layout == "facesynthetics"]
    assert {label: set(sets[0].meanings[label]) for label in meanings} == {k: set(v) for k, v in meanings.items()}
    for pair in pairs:
        assert pair.rgb.shape == (*pair.labels.shape, 3)
        assert pair.labels.shape[0] == pair.labels.shape[1] >= 192
        assert {1, 2, 3, 4, 5, 10, 17} <= set(np.unique(pair.labels))
        assert np.nonzero(pair.labels == 4)[1].mean() > np.nonzero(pair.labels == 5)[1].mean()  # the subject's left
        assert np.nonzero(pair.labels == 2)[1].mean() > np.nonzero(pair.labels == 3)[1].mean()
        nose = pair.rgb[pair.labels == 10]  # photo and labels lie on each other
        assert np.abs(np.median(nose, axis=0) - PARTS[10].color).max() < 25


def test_what_is_held_out_is_not_trained_on(tmp_path):
    lapa(tmp_path / "lapa")
    ibugmask(tmp_path / "ibug")
    celebamask(tmp_path / "celeba")
    (tmp_path / "celeba" / "CelebA-HQ-to-CelebA-mapping.txt").write_text(
        "idx orig_idx orig_file\n0 119613 119614.jpg\n2001 182700 182701.jpg\n"
    )
    names = {"train": [], "test": []}
    for split, found in names.items():
        for kind in ("lapa", "ibug", "celeba"):
            found += [name for one in find_sets(tmp_path / kind, split) for name in one.names]
    assert names["train"] == ["train/images/train_a.jpg", "train/train_a.jpg", "CelebA-HQ-img/0.jpg"]
    assert names["test"] == [
        "test/images/test_a.jpg", "val/images/val_a.jpg", "test/test_a.jpg", "CelebA-HQ-img/2001.jpg",
    ]  # fmt: skip


def test_left_is_told_by_its_place(tmp_path):
    """Whichever side the ids call left, in the pairs it is the subject's."""
    lapa(tmp_path, {**TO_LAPA, 2: 3, 3: 2, 4: 5, 5: 4})
    (pair,) = Pairs(find_sets(tmp_path))
    for left, right in ((2, 3), (4, 5)):
        assert np.nonzero(pair.labels == left)[1].mean() > np.nonzero(pair.labels == right)[1].mean()


def test_ignored_pixels_stay_unknown(tmp_path):
    facesynthetics(tmp_path)
    (pair,) = Pairs(find_sets(tmp_path))
    assert (pair.labels == UNKNOWN).any()
    assert (pair.labels == BEARD).any()


def test_labels_of_ones_own_are_named_in_a_file(tmp_path):
    photo, labels = face()
    write(tmp_path / "images" / "a.jpg", photo)
    write(tmp_path / "labels" / "a.png", translated(labels, {**dict.fromkeys((1, 4, 5, 10), 7), 17: 3, 16: 9}))
    names = {"0": "background", "7": ["head", "eye-left", "eye-right", "nose"], "3": "hair", "9": None}
    (tmp_path / "classes.json").write_text(json.dumps(names))
    (one,) = find_sets(tmp_path)
    (pair,) = Pairs([one])
    assert set(np.unique(pair.labels)) == {0, HEAD, 17, UNKNOWN}
    assert one.meanings[HEAD] == {1, 4, 5, 10}
    for wrong in ("[1]", '{"1": "skin"}', '{"300": "head"}', "{"):
        (tmp_path / "classes.json").write_text(wrong)
        with pytest.raises(FaceParseError, match=r"classes\.json"):
            find_sets(tmp_path)


@pytest.mark.parametrize("ids", ["LaPa", "FaceSynthetics", "CelebAMask-HQ's scripts"])
def test_ids_that_are_not_ours_are_told(tmp_path, ids):
    """Unnoticed, a network would learn that noses are hair."""
    to_scripts = {1: 1, 10: 2, 4: 4, 5: 5, 2: 6, 3: 7, 11: 10, 12: 11, 13: 12, 17: 13, 14: 17, 16: 18}
    table = {"LaPa": TO_LAPA, "FaceSynthetics": TO_SYNTHETIC}.get(ids, to_scripts)
    photo, labels = face()
    write(tmp_path / "a.jpg", photo)
    write(tmp_path / "a.png", translated(labels, table))
    with pytest.raises(FaceParseError, match=r"ids of the label maps are not ours.*classes\.json"):
        find_sets(tmp_path)
    names = {str(key): PARTS[part].name for part, key in table.items()}
    (tmp_path / "classes.json").write_text(json.dumps({"0": "background", **names}))
    (pair,) = Pairs(find_sets(tmp_path))
    assert 0.1 < (pair.labels == HEAD).mean() < 0.4


def test_a_part_of_a_data_set_is_not_taken_for_plain_pairs(tmp_path):
    """The folder `train` alone: its ids are LaPa's all the same."""
    lapa(tmp_path / "lapa")
    ibugmask(tmp_path / "ibug")
    for folder in (tmp_path / "lapa" / "train", tmp_path / "ibug" / "train"):
        with pytest.raises(FaceParseError, match="name the folder above train"):
            find_sets(folder)
    (tmp_path / "ibug" / "train").rename(tmp_path / "ibug" / "Training")
    with pytest.raises(FaceParseError, match=r"no pairs.*in a folder train"):
        find_sets(tmp_path / "ibug")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("no skin", r"0\.jpg lacks the mask 00000_skin\.png"),
        ("no nose", r"0\.jpg lacks the mask 00000_nose\.png"),
        ("none", r"0\.jpg has no masks, such as 00000_skin\.png"),
        ("another word", r"00000_snout\.png: no part of CelebAMask-HQ is called snout"),
        ("of zeros and ones", r"00000_skin\.png: the mask is empty; inside it is 255"),
        ("another size", r"00000_nose\.png: the mask differs in size"),
    ],
)
def test_a_broken_photo_of_celebamask_is_told_by_name_or_left_out(tmp_path, fault, says):
    celebamask(tmp_path)
    masks = tmp_path / "CelebAMask-HQ-mask-anno" / "0"
    skin, nose = masks / "00000_skin.png", masks / "00000_nose.png"
    if fault in ("no skin", "no nose"):
        (skin if fault == "no skin" else nose).unlink()
    elif fault == "none":
        for mask in masks.iterdir():
            mask.unlink()
    elif fault == "another word":
        nose.with_name("00000_snout.png").write_bytes(nose.read_bytes())
    elif fault == "of zeros and ones":
        write(skin, cv2.imread(str(skin)) // 255)
    elif fault == "another size":
        write(nose, cv2.imread(str(nose))[:40])
    with pytest.raises(PairError, match=says) as error:
        Pairs(find_sets(tmp_path))
    assert "\n" not in str(error.value)
    kept = Pairs(find_sets(tmp_path), skip_broken=True)
    assert len(kept) == (2 if fault == "another word" else 1)


def break_pair(folder, fault: str) -> None:
    photo, labels = face()
    target = folder / "labels" / "broken.png"
    write(folder / "broken.jpg", photo)
    if fault == "another size":
        write(target, labels[:-3])
    elif fault == "unknown ids":
        write(target, np.where(labels == 1, 77, labels).astype(np.uint8))
    elif fault == "unknown colours":
        write(target, photo)
    elif fault == "no face":
        write(target, np.zeros_like(labels))
    elif fault == "no picture":
        target.write_bytes(b"none")
    elif fault == "no photo":
        (folder / "broken.jpg").write_bytes(b"\xff\xd8 none")
        write(target, labels)
    elif fault == "no partner":
        pass
    elif fault == "no photo's partner":
        (folder / "broken.jpg").unlink()
        write(target, labels)
    elif fault == "no photo, and the map beside the others":
        (folder / "broken.jpg").rename(folder / "broken.png")
        write(folder / "broken.png", labels)


def test_a_mask_in_black_and_white_is_told(tmp_path):
    photo, labels = face()
    write(tmp_path / "a.jpg", photo)
    write(tmp_path / "a.png", np.where(labels > 0, 255, 0).astype(np.uint8))
    with pytest.raises(PairError, match=r"no face; 255 stands for unknown: .* classes\.json"):
        Pairs(find_sets(tmp_path))


def test_two_data_sets_in_one_folder_are_told_apart_by_nobody(tmp_path):
    for name in (
        "celeba/CelebAMask-HQ-mask-anno/0/00000_hair.png",
        "LaPa/train/images/1.jpg",
        "LaPa/train/labels/1.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(FaceParseError, match=r"several data sets \(CelebAMask-HQ, LaPa\); .* --data of its own"):
        find_sets(tmp_path)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("another size", r"broken\.jpg.*differ in size \(200 x 240 and 200 x 237 px\)"),
        ("unknown ids", r"broken\.png.*unknown ids \(77\)"),
        ("unknown colours", r"broken\.png.*colours"),
        ("no face", r"broken.*no face"),
        ("no picture", r"broken\.png.*cannot be read"),
        ("no photo", r"broken\.jpg.*cannot be read"),
        ("no partner", r"broken\.jpg has no label map"),
        ("no photo's partner", r"broken\.png has no photo"),
        (
            "no photo, and the map beside the others",
            r"broken\.png has no label map beside it, or, if it is one, no photo",
        ),
    ],
)
def test_a_broken_pair_is_told_by_name_or_left_out(tmp_path, capsys, fault, says):
    plain(tmp_path)
    break_pair(tmp_path, fault)
    with pytest.raises(PairError, match=says) as error:
        Pairs(find_sets(tmp_path))
    assert "\n" not in str(error.value)
    pairs = Pairs(find_sets(tmp_path), skip_broken=True)
    assert len(pairs) == 3
    assert len(pairs.broken) == 1
    told = capsys.readouterr().err
    assert told.startswith("1 broken pair left out: ")
    assert "broken" in told.split(": ", 1)[1]


@pytest.mark.parametrize("there", ["nothing", "a text", "no folder", "a compressed tar", "only broken ones"])
def test_where_there_is_nothing_to_learn_from(tmp_path, there):
    source = tmp_path / "data"
    if there == "a compressed tar":
        with tarfile.open(source, "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("a.png"), io.BytesIO(b""))
    elif there != "no folder":
        source.mkdir()
    if there == "a text":
        (source / "notes.txt").write_text("none")
    if there == "only broken ones":
        (source / "a.jpg").write_bytes(b"none")
    with pytest.raises(FaceParseError, match=r"no pair|neither a folder nor|no training data") as error:
        Pairs(find_sets(source), skip_broken=True)
    assert "\n" not in str(error.value)


def test_memory_changes_nothing_but_the_time(tmp_path):
    plain(tmp_path)
    kept, read = Pairs(find_sets(tmp_path)), Pairs(find_sets(tmp_path), memory=0)
    assert read.kept == 0 < kept.kept
    for one, other in zip(kept, read, strict=True):
        assert one.name == other.name
        assert (one.rgb == other.rgb).all()
        assert (one.labels == other.labels).all()


def test_every_third_of_the_rendered_pairs_is_held_out_from_the_largest_beard_to_none(tmp_path):
    tar = tmp_path / "facesynthetics" / "train.tar"
    tar.parent.mkdir()
    with tarfile.open(tar, "w") as archive:
        for number, rows in enumerate((0, 30, 10, 50, 20, 40)):  # of beard
            labels = np.ones((64, 64), np.uint8)
            labels[:rows] = 19
            rgb = np.full((64, 64, 3), 90, np.uint8)
            for suffix, picture in ((".webp", rgb), (".png", labels)):
                content = cv2.imencode(suffix, picture)[1].tobytes()
                member = tarfile.TarInfo(f"{number}{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    (held_out,) = find_sets(tar, "test")
    (learnt,) = find_sets(tar, "train")
    assert held_out.names == ("0.webp", "1.webp")
    assert learnt.names == ("2.webp", "3.webp", "4.webp", "5.webp")
