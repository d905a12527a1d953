"""Chromium without a window: for the PDF, the counts and the tests of the pages."""

import shutil

FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}


def programs() -> tuple[str | None, str | None]:
    """The browser and its driver, None for what is missing."""
    return (shutil.which("chromium") or shutil.which("google-chrome"),
            shutil.which("chromedriver"))


def start(width: int, height: int, **capabilities):
    """A driver of Selenium with a window of this size."""
    from selenium import webdriver

    chrome, driver = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = chrome
    for flag in (*FLAGS, f"--window-size={width},{height}"):
        options.add_argument(flag)
    for name, value in capabilities.items():
        options.set_capability(name, value)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
