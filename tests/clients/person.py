"""A person with a browser: opens an authorization page of the emulated org, signs in, allows or denies, and reads where
the browser is sent. It knows forms, not the emulator: fields are found by their type and by the words on buttons."""

import urllib.parse
from html.parser import HTMLParser

import requests


class Forms(HTMLParser):
    """The forms of a page: where they go, their fields, and their buttons by what they say."""

    def __init__(self, page):
        super().__init__()
        self.forms, self.button = [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append({"action": attributes.get("action", ""), "fields": [], "buttons": {}})
        elif not self.forms:
            return
        elif tag == "input" and attributes.get("type", "text") not in ("submit", "checkbox", "radio"):
            self.forms[-1]["fields"].append(attributes)
        elif tag == "input" and attributes.get("type") == "submit":
            self.forms[-1]["buttons"][attributes.get("value", "")] = attributes
        elif tag == "button":
            self.button = attributes

    def handle_data(self, data):
        if self.button is not None and data.strip():
            self.forms[-1]["buttons"][data.strip()] = self.button
            self.button = None


class Person:
    def __init__(self, username, password):
        self.username, self.password = username, password
        self.browser = requests.Session()

    def authorize(self, url, callback, answer="Allow"):
        """Opens `url`, signs in when asked, presses `answer`, and returns the address of the callback."""
        response = self.browser.get(url, allow_redirects=False)
        for _ in range(20):
            if response.is_redirect:
                address = urllib.parse.urljoin(response.url, response.headers["location"])
                if address.startswith(callback):
                    return address
                response = self.browser.get(address, allow_redirects=False)
            else:
                response = self.submit(response, answer)
        raise AssertionError(f"no way to {callback} from {response.url}: {response.text[:500]}")

    def submit(self, page, answer):
        """Fills in the page's sign-in form, or presses `answer`."""
        if page.status_code != 200:
            raise AssertionError(f"{page.status_code} at {page.url}: {page.text[:500]}")
        for form in Forms(page.text).forms:
            is_login = any(field.get("type") == "password" for field in form["fields"])
            if not is_login and answer not in form["buttons"]:
                continue
            values = {field["name"]: self.fill(field) for field in form["fields"] if "name" in field}
            button = form["buttons"].get(answer, {})
            if "name" in button:
                values[button["name"]] = button.get("value", "")
            action = urllib.parse.urljoin(page.url, form["action"])
            return self.browser.post(action, data=values, allow_redirects=False)
        raise AssertionError(f"nothing to press at {page.url}: {page.text[:500]}")

    def fill(self, field):
        kind = field.get("type", "text")
        if kind == "password":
            return self.password
        return field.get("value", "") if kind == "hidden" else self.username
