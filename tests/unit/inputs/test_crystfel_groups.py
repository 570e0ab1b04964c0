"""Levels of a detector from the groups of panels of CrystFEL geometries, of older and of newer versions."""

import pytest

from iota.inputs.crystfel.geometry import parse_geometry
from iota.inputs.crystfel.groups import GroupLines

PANELS = [f"p{k}" for k in range(8)]
ASICS = "a0 = p0,p1; a1 = p2,p3; a2 = p4,p5; a3 = p6,p7"
QUADRANTS = "q0 = p0,p1,p2,p3; q1 = p4,p5,p6,p7"


def rigid(*groups, **collections):
    lines = [f"rigid_group_{group.strip()}" for text in groups for group in text.split(";")]
    return [*lines, *(f"rigid_group_collection_{name} = {members}" for name, members in collections.items())]


def levels(lines, panels=PANELS):
    """Names of the groups in which the panels are, for each level, and the sentences."""
    groups = GroupLines()
    for line in lines:
        key, _, value = line.partition(" = ")
        assert groups.take(key, value)
    found, said = groups.levels(panels)
    return [[level.names[group] for group in level.groups] for level in found], list(said)


def test_each_collection_is_a_level_whatever_their_order():
    wanted = [["q0"] * 4 + ["q1"] * 4, ["a0", "a0", "a1", "a1", "a2", "a2", "a3", "a3"]]
    asics_first = rigid(ASICS, QUADRANTS, "all = p0,p1", asics="a0,a1,a2,a3", quadrants="q0,q1")
    assert levels(asics_first) == (wanted, [])  # a group in no collection means nothing
    assert levels(asics_first[::-1]) == (wanted, [])
    same_again = rigid(connected="a0, a1 ,a2,a3", single="s", whole="w") + rigid("s = p3", f"w = {','.join(PANELS)}")
    assert levels(asics_first + same_again) == (wanted, [])


def test_groups_of_groups_are_a_tree():
    tree = ["group_a0 = p0,p4", "group_a1 = p1,p5", "group_q0 = a0,a1", "group_q1 = p2,p3,p6", "group_all = q0,q1,p7"]
    assert levels(tree) == (
        [
            ["q0", "q0", "q1", "q1", "q0", "q0", "q1", "p7"],
            ["a0", "a1", "p2", "p3", "a0", "a1", "p6", "p7"],
        ],
        [],
    )
    assert levels(tree[:-1])[0] == levels(tree)[0]
    assert levels([f"group_all = {','.join(PANELS)}"]) == ([], [])
    assert levels(["group_all = p0"], ["p0"]) == ([], [])


def test_panels_in_no_group_are_in_that_of_the_finer_level_or_their_own():
    lines = rigid(ASICS, QUADRANTS, asics="a1,a2,a3", quadrants="q0")
    assert levels(lines) == (
        [["q0", "q0", "q0", "q0", "a2", "a2", "a3", "a3"], ["p0", "p1", "a1", "a1", "a2", "a2", "a3", "a3"]],
        [],
    )


@pytest.mark.parametrize(
    ("lines", "n_levels", "sentence"),
    [
        (
            rigid(ASICS, "q0 = p0,p1,p2; q1 = p3,p4,p5", asics="a0,a1,a2,a3", quadrants="q0,q1"),
            1,
            "rigid_group_collection_quadrants is not used as a level of the detector: its group q0 contains a1 only in"
            " part.",
        ),
        (
            rigid("q0 = p0,p1; q1 = p1,p2", quadrants="q0,q1"),
            0,
            "rigid_group_collection_quadrants is not used as a level of the detector: panel p1 is in two of its groups,"
            " q0 and q1.",
        ),
        (
            rigid("q0 = p0,p1,x,y", quadrants="q0"),
            1,
            "rigid_group_q0 names x (and 1 more), which is not a panel.",
        ),
        (rigid(QUADRANTS, quadrants="q0,q1,q2"), 1, "rigid_group_collection_quadrants names q2, which is not a rigid"),
        (
            ["group_all = q0,q1", "group_q0 = p0,p1", "group_q1 = p2,p3"],  # CrystFEL wants them the other way round
            1,
            "group_all names q0 (and 1 more), which is not a panel or a group defined above it.",
        ),
        (
            ["group_q0 = p0,p1", "group_q1 = p1,p2", "group_all = q0,q1"],
            0,
            "level 1 of the group lines is not used as a level of the detector: panel p1 is in two of its groups,",
        ),
        (["group_p0 = p1,p2", "group_all = p0,p1"], 0, "group_p0 is not used, because a panel has the same name."),
    ],
)
def test_what_cannot_be_a_level_is_told(lines, n_levels, sentence):
    found, said = levels(lines)
    assert len(found) == n_levels
    assert len(said) == 1 and said[0].startswith(sentence)


def test_a_geometry_has_its_levels():
    panel = "{0}/min_fs = 0\n{0}/max_fs = 9\n{0}/min_ss = 0\n{0}/max_ss = 3\n{0}/corner_x = 1\n{0}/corner_y = 1\n"
    text = "clen = 0.1\nphoton_energy = 9000\nres = 1e4\nfs = x\nss = y\nrigid_group_q0 = b,c ; of two\n"
    text += "rigid_group_collection_q = q0\n" + "".join(panel.format(name) for name in "abcd") + "group_all = a,b,c,z\n"
    found = parse_geometry(text, "x.geom")
    (level,) = found.levels
    assert [level.names[group] for group in level.groups] == ["a", "q0", "q0", "d"]
    assert found.unused_groups == ("group_all names z, which is not a panel or a group defined above it.",)
    assert found.unused == ()
