"""The demonstration's page in a real Chromium: a person clicks around and sees their own score move."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.demo_running import BEGINS, Demo

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

SOON = 30_000.0
"""ms within which a click has to show in the score, also on a busy machine."""
NOTHING = "\N{EN DASH}"
NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1280, "height": 860}

BEYOND = """
    name => {
      const edge = Math.min(innerWidth, document.querySelector(name).getBoundingClientRect().right) + 0.5
      const beyond = (one) => one.checkVisibility() && one.getBoundingClientRect().right > edge
      return [...document.querySelectorAll(name + " *")].filter(beyond).map((one) => one.outerHTML)
    }"""
"""What reaches out of an element to the right, or out of the window."""


def address(running: Demo) -> str:
    running.await_output(r"your own score: \S+", BEGINS)
    found = re.search(r"your own score: (\S+)", running.output)
    assert found is not None
    return found[1]


def total(page: Page, points: str) -> None:
    expect(page.locator("#total")).to_have_text(points, timeout=SOON)


def lines(page: Page) -> dict[str, str]:
    rows = page.locator("#ledger tbody tr").all()
    return {row.locator("td").nth(0).inner_text(): row.locator("td").nth(1).inner_text() for row in rows}


def seen(page: Page, *what: str) -> None:
    """The newest of what was seen, newest first."""
    items = page.locator("#history li span:first-child")
    for number, words in enumerate(what):
        expect(items.nth(number)).to_have_text(words, timeout=SOON)


def test_a_person_sees_their_own_score_move(demo: Callable[..., Demo], visitor: BrowserContext) -> None:
    running = demo("--for", "5s")
    page = visitor.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(address(running))

    # Nothing is known before it is allowed to be.
    expect(page.locator("#verdict")).to_contain_text("you have not agreed")
    page.click("text=Download the e-book")
    expect(page.locator("#said")).to_contain_text("Not told")
    page.click("#yes")
    total(page, "0.0")
    seen(page, "read /")

    page.click("text=Download the e-book")
    total(page, "5.0")
    page.click("nav >> text=Pricing")
    page.click("nav >> text=Docs")
    seen(page, "read /docs", "read /pricing", "downloaded a book", "read /")
    assert lines(page) == {"E-book downloaded": "+5"}
    expect(page.locator("#verdict")).to_have_text("15.0 points below 20, where sales is told.")

    # Who they are; what was seen before counts, and sales is told.
    page.click("nav >> text=Contact")
    page.fill("section:not([hidden]) input[name=email]", "anna@example.com")
    page.select_option("select[name=job]", "CEO")
    page.click("text=Send")
    total(page, "21.0")
    expect(page.locator("#verdict")).to_contain_text("Sales has been told")
    expect(page.locator("#lead")).to_contain_text("joined from 2 ids")
    expect(page.locator("#ahead li")).to_contain_text("no longer worth a call")
    running.await_output(r" qualified you, on the page at 21\.0: ")
    assert lines(page) == {
        "Company of 25 or more": "+10",
        "CEO or CMO": "+5",
        "E-book downloaded": "+5",
        "Target country": "+1",
    }

    # The scheduler knows an address only; a move is worth nothing, whatever it sends.
    page.click("nav >> text=Book a demo")
    page.fill("#meeting input", "anna@example.com")
    page.click("text=Book for tomorrow")
    total(page, "41.0")
    page.click("text=Move it")
    seen(page, "moved a demo", "booked a demo")
    total(page, "41.0")
    page.click("text=Cancel it")
    total(page, "31.0")
    assert lines(page)["Call or demo cancelled"] == "-10"

    # Another visit finds the same person; the demonstration has gone on, though its time is over.
    page.goto(address(running) + "/careers")
    total(page, "21.0")
    assert "left" not in running.output.splitlines()[-1]
    page.click("#withdraw")
    total(page, NOTHING)
    assert page.evaluate("Object.keys(localStorage)") == []

    assert faults == []
    page.close()
    running.end()
    running.assert_nothing_left()
    assert "stopping" in running.output


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_it_fits_the_window(demo: Callable[..., Demo], visitor: BrowserContext, size: dict[str, int]) -> None:
    running = demo("--for", "5s")
    page = visitor.new_page()
    page.set_viewport_size({"width": size["width"], "height": size["height"]})
    page.goto(address(running))
    expect(page.locator("#yes")).to_be_in_viewport()
    page.click("#yes")
    page.click("nav >> text=Contact")
    page.fill(
        "section:not([hidden]) input[name=email]",
        "somebody.with.a.long.name@a.very.long.domain.example.com",
    )
    page.select_option("select[name=job]", "CEO")
    page.click("text=Send")
    page.click("nav >> text=Trial")
    page.click("text=Start the trial")
    page.click("text=Add a task")
    page.click("text=Add a task")
    expect(page.locator("#ahead li").first).to_be_visible(timeout=SOON)
    for path in ("Tallgrass", "Pricing", "Docs", "Trial", "Careers", "Contact", "Book a demo"):
        page.click(f"nav >> text={path}")
        assert page.evaluate(BEYOND, "body") == []
        assert page.evaluate(BEYOND, "#why") == []
    expect(page.locator("#total")).to_be_in_viewport()
