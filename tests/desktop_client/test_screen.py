"""Where windows go and how large everything is, worked out without a display."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from desktop_client import screen
from desktop_client.screen import Area, Screen

SCREENS = st.builds(Area, st.integers(0, 80), st.integers(0, 60), st.integers(900, 4_000), st.integers(560, 2_200))


@st.composite
def rosters(draw: st.DrawFn) -> tuple[Area, Area, float]:
    """A screen, a roster anywhere on it, and the scale that fits the screen."""
    area = draw(SCREENS)
    scale = screen.scale_for(Screen(area, draw(st.sampled_from([0, 96, 120, 144, 192, 288]))), 96)
    wide, high = screen.fit((round(300 * scale), round(670 * scale)), area)
    x, y = screen.clamp(draw(st.integers(-100, 4_000)), draw(st.integers(-100, 2_000)), (wide, high), area)
    return area, Area(x, y, wide, high), scale


@given(rosters(), st.integers(0, 6))
def test_a_conversation_is_on_the_screen_and_beside_the_roster(given_: tuple[Area, Area, float], before: int) -> None:
    area, roster, scale = given_
    size = screen.fit((round(520 * scale), round(630 * scale)), area)
    narrowest, gap = round(380 * scale), round(12 * scale)
    x, y, wide, high = screen.beside(roster, size, narrowest, area, gap, round(24 * scale) * before)
    assert area.left <= x and x + wide <= area.left + area.width
    assert area.top <= y and y + high <= area.top + area.height
    assert narrowest <= wide <= size[0] and high == size[1]
    room = max(roster.left - area.left, area.left + area.width - roster.left - roster.width) - gap
    if room >= narrowest:
        assert x >= roster.left + roster.width or x + wide <= roster.left, "over the roster"


@given(SCREENS, st.floats(0, 500), st.floats(40, 400), st.floats(0, 5))
def test_the_scale_is_in_quarters_and_lets_everything_fit(area: Area, dots: float, display: float, wish: float) -> None:
    scale = screen.scale_for(Screen(area, dots), display, wish)
    assert scale * 4 == round(scale * 4) and 1 <= scale <= 4
    assert scale == 1 or (screen.FIT_HEIGHT * scale <= area.height and screen.FIT_WIDTH * scale <= area.width)


def test_the_desktops_dots_an_inch_come_before_the_displays_and_a_wish_before_both() -> None:
    large = Area(0, 0, 3_840, 2_160)
    assert screen.scale_for(Screen(large, 192), 96) == 2
    assert screen.scale_for(Screen(large, 0), 144) == 1.5
    assert screen.scale_for(Screen(large, 192), 96, 1.25) == 1.25


def test_nonsense_of_the_desktop_is_not_taken() -> None:
    whole = Area(0, 0, 1_400, 1_000)
    assert screen._inside(whole, [0, 28, 1_400, 972]) == Area(0, 28, 1_400, 972)
    for work in ([], [0, 0, 0, 0], [5_000, 0, 100, 100], [0, 0, 100, 100]):
        assert screen._inside(whole, work) == whole
    for text, dots in (("192", 192), ("96.5", 96.5), ("", 0), ("many", 0), ("-1", 0), ("nan", 0), ("1e9", 0)):
        assert screen._number(text) == dots
