# SPDX-License-Identifier: BSD-3-Clause
"""The page in a browser: headless Chromium, from file://."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import forge

from quantimed_report.report import build_report
from quantimed.traces import load_study

webdriver = pytest.importorskip("selenium.webdriver", reason="THE PAGE WAS NOT TESTED IN A BROWSER: apt-get install python3-selenium")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

EVIL = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def page(comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with two data sets, hostile text and runs that are left out."""
    study = tmp_path_factory.mktemp("mixed") / "study"
    shutil.copytree(comparison, study)
    first = study / "dsgd-seed1.h5"
    forge(first, study / "other-data.h5", config={"dataset": f"other{EVIL}", "seed": 11})
    forge(first, study / "invalid.h5", root={"verdict": f"INVALID: {EVIL}"}, config={"seed": 12}, ini=f"</code>{EVIL}")
    forge(first, study / "killed.h5.partial", root={"status": "running"}, config={"seed": 13})
    return build_report(load_study(study), study / "report", pdf=False).page


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("THE PAGE WAS NOT TESTED IN A BROWSER: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,800",
                 f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.set_page_load_timeout(300)
    yield started
    started.quit()


@pytest.fixture
def opened(chromium: webdriver.Chrome, page: Path) -> webdriver.Chrome:
    resize(chromium, 1280, 800)
    chromium.get("about:blank")
    chromium.get(page.as_uri())
    return chromium


def resize(browser: webdriver.Chrome, width: int, height: int) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})


def shown(browser: webdriver.Chrome) -> int:
    return browser.execute_script("return document.querySelectorAll('tr[data-run]:not([hidden])').length")


def test_loads_without_an_error(opened: webdriver.Chrome) -> None:
    assert opened.find_element(By.TAG_NAME, "h1").text
    assert [entry for entry in opened.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def test_every_figure_is_there(opened: webdriver.Chrome) -> None:
    sizes = opened.execute_script("return [...document.querySelectorAll('figure img')].map(i => [i.naturalWidth, i.naturalHeight, i.alt.length])")
    assert sizes and all(width > 100 and height > 100 and words > 40 for width, height, words in sizes)


def test_the_answer_and_the_table_fit_on_the_first_screen(opened: webdriver.Chrome) -> None:
    for selector in ("#answer", ".believe", "table.summary"):
        box = opened.find_element(By.CSS_SELECTOR, selector).rect
        assert box["y"] >= 0 and box["y"] < 500, selector


def test_the_filter_filters(opened: webdriver.Chrome) -> None:
    count = opened.find_element(By.ID, "count")
    assert shown(opened) == 18 and count.text.startswith("Shown: 18 of 18 runs; 16 counted, 2 left out")
    curves = len(opened.find_elements(By.CSS_SELECTOR, "#plot path.curve"))
    opened.find_element(By.CSS_SELECTOR, "input[name=algorithm][value=dsgd]").click()
    assert shown(opened) == 12 and count.text.startswith("Shown: 12 of 18 runs; 12 counted, 0 left out")
    assert len(opened.find_elements(By.CSS_SELECTOR, "#plot path.curve")) < curves
    assert opened.execute_script("return document.querySelectorAll('details[data-run]:not([hidden])').length") == 12
    opened.find_element(By.CSS_SELECTOR, "input[name=seed][value='2']").click()
    assert shown(opened) == 8
    opened.find_element(By.ID, "reset").click()
    assert shown(opened) == 18


def test_no_run_at_all_is_said(opened: webdriver.Chrome) -> None:
    opened.find_element(By.CSS_SELECTOR, "[data-none=seed]").click()
    assert shown(opened) == 0 and "Shown: 0 of 18 runs" in opened.find_element(By.ID, "count").text
    assert opened.find_element(By.ID, "no-plot").is_displayed()
    assert opened.get_log("browser") == []


def test_the_keyboard_reaches_the_filter_and_the_figures(opened: webdriver.Chrome) -> None:
    opened.switch_to.active_element.send_keys(Keys.TAB)
    assert "skip" in opened.switch_to.active_element.get_attribute("class")
    reached = []
    for _ in range(80):
        opened.switch_to.active_element.send_keys(Keys.TAB)
        active = opened.switch_to.active_element
        reached.append(active.get_attribute("name") or active.get_attribute("aria-label") or active.tag_name)
        if reached[-1] == "algorithm":
            break
    assert reached[-1] == "algorithm" and any(name.startswith("Enlarge") for name in reached)
    before = shown(opened)
    opened.switch_to.active_element.send_keys(Keys.SPACE)
    assert shown(opened) < before


def test_enter_enlarges_a_figure_and_escape_closes_it(opened: webdriver.Chrome) -> None:
    button = opened.find_element(By.CSS_SELECTOR, "figure button")
    opened.execute_script("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)
    dialog = opened.find_element(By.ID, "enlarged")
    assert dialog.is_displayed() and dialog.find_element(By.TAG_NAME, "img").get_attribute("alt")
    opened.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed() and opened.switch_to.active_element == button


@pytest.mark.parametrize("what", ["setting", "x", "y"])
def test_every_choice_of_the_plot_draws_or_says_why_not(opened: webdriver.Chrome, what: str) -> None:
    for option in opened.find_elements(By.CSS_SELECTOR, f"#{what} option"):
        option.click()
        curves = opened.find_elements(By.CSS_SELECTOR, "#plot path.curve")
        assert opened.find_element(By.ID, "no-plot").is_displayed() or (curves and all(one.get_attribute("d") for one in curves))
        assert "NaN" not in opened.find_element(By.ID, "plot").get_attribute("innerHTML")
    opened.find_element(By.ID, "log").click()
    assert "NaN" not in opened.find_element(By.ID, "plot").get_attribute("innerHTML")
    assert opened.get_log("browser") == []


def test_a_link_to_a_run_opens_its_configuration(opened: webdriver.Chrome) -> None:
    opened.find_element(By.CSS_SELECTOR, "tr[data-run] a").click()
    WebDriverWait(opened, 10).until(lambda page: page.execute_script("return document.querySelector('details[data-run]').open"))
    opened.find_element(By.CSS_SELECTOR, "details[data-run] [data-copy]").click()


@pytest.mark.parametrize("width", [320, 360, 768])
def test_a_small_window_does_not_scroll_sideways(opened: webdriver.Chrome, width: int) -> None:
    resize(opened, width, 740)
    opened.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width


def test_the_summary_is_cards_on_a_phone(opened: webdriver.Chrome) -> None:
    resize(opened, 360, 740)
    box, table = opened.find_element(By.CSS_SELECTOR, ".scroll").rect, opened.find_element(By.CSS_SELECTOR, "table.summary").rect
    assert table["width"] <= box["width"]


def test_hostile_text_is_not_carried_out(opened: webdriver.Chrome) -> None:
    assert opened.execute_script("return window.hacked") is None
    assert "window.hacked" in opened.find_element(By.ID, "left-out").find_element(By.XPATH, "..").text
    assert opened.execute_script("return document.querySelectorAll('img:not([src^=\"data:\"]):not([alt=\"\"])').length") == 0


def test_it_prints(opened: webdriver.Chrome) -> None:
    assert len(opened.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 10_000
