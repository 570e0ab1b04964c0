"""What the server knows of images without opening them: masks as PHIL, settings, sets."""

import msgspec
import pytest

from iota.errors import UsageError
from iota.inputs.finding.search_job import ChooseImages, choose_images
from iota.web.image.frames import at_path
from iota.web.image.mask_phil import MaskDrawing, Shape, phil_of
from iota.web.image.preview_phil import preview_settings


def test_a_mask_is_written_as_generate_mask_reads_it():
    drawing = MaskDrawing(
        shapes=[Shape("circle", [10, -3, 7]), Shape("polygon", [0, 0, 9, 0, 9, 9], panel=2)],
        border=3,
        d_max=40.0,
        resolution_ranges=[(3.7, 3.64)],
    )
    assert phil_of(drawing).split("\n") == [
        "border = 3",
        "d_max = 40",
        "resolution_range = 3.64 3.7",
        *("untrusted {", "  panel = 0", "  circle = 10 -3 7", "}"),
        *("untrusted {", "  panel = 2", "  polygon = 0 0 9 0 9 9", "}"),
        "",
    ]


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        ({"shapes": [{"kind": "circle", "numbers": [1, 2]}]}, "A circle has 3 numbers, not 2"),
        ({"shapes": [{"kind": "polygon", "numbers": [1, 2, 3, 4]}]}, "three or more pairs"),
        ({"shapes": [{"kind": "rectangle", "numbers": [-1, 2, 3, 4]}]}, "not accept negative numbers for a rectangle"),
        ({"shapes": [{"kind": "circle", "numbers": [1, 2, 0]}]}, "radius above 0"),
        ({"shapes": [{"kind": "circle", "numbers": [1, 2, 10**9]}]}, "outside the detector"),
        ({"border": -1}, "Edges must be between"),
        ({"d_min": 0}, "not a valid limit"),
        ({"resolution_ranges": [[3.0, 3.0]]}, "two different limits"),
    ],
)
def test_numbers_that_dials_would_stumble_over_are_refused(drawing, words):
    with pytest.raises((UsageError, msgspec.ValidationError), match=words):
        msgspec.convert(drawing, MaskDrawing)


def test_settings_of_spot_finding_become_parameters_of_the_backend():
    dispersion = "spotfinder.threshold.dispersion"
    found = preview_settings(sigma_strong=4.5, kernel_size=2, global_threshold=1234567.0, max_spot_size=0)
    assert found == [
        f"{dispersion}.sigma_strong=4.5",
        f"{dispersion}.global_threshold=1234567.0",
        f"{dispersion}.kernel_size=2 2",
        "spotfinder.filter.max_spot_size=0",
    ]
    assert preview_settings() == []


def test_sets_of_images(tmp_path):
    for k in range(1, 6):
        (tmp_path / f"img_{k}.cbf").write_bytes(b"x")

    def numbers(source, some="", most=20_000):
        chosen = choose_images(ChooseImages([str(source)], some, most))
        return [int(frame.path[-5]) for frame in chosen.frames], chosen.remarks

    assert numbers(tmp_path) == ([1, 2, 3, 4, 5], [])
    assert numbers(tmp_path, "2-3,5") == ([2, 3, 5], [])
    assert numbers(tmp_path, "first 2") == ([1, 2], [])
    assert numbers(tmp_path, most=3) == ([1, 2, 3], ["Only the first 3 of 5 images are shown."])
    listed = tmp_path / "some.lst"
    listed.write_text("img_4.cbf\nimg_1.cbf\n")
    assert numbers(listed) == ([4, 1], [])
    none, remarks = numbers(tmp_path / "none*.cbf")
    assert not none
    assert "no file or folder matches" in remarks[0]
    for some in ("a few", "1-" + "9" * 5000):
        with pytest.raises(UsageError, match=r"use the form 3,8,12-20"):
            numbers(tmp_path, some)
    with pytest.raises(UsageError, match="more than 20,000"):
        numbers(tmp_path, "1-999999999")


def test_what_names_no_image_is_a_sentence():
    for path, words in (("", "Specify an image"), ("img.cbf", "absolute"), ("/a\0b", "absolute")):
        with pytest.raises(UsageError, match=words):
            at_path(path)
