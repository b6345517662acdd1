"""What an operator chose, and what the environment says besides: settings with their origin, typing errors, proxies, certificates.

Add here: another variable that changes what a run does. Keep out: the machine itself (`machine.py`), and any value in clear
that may hold a password (`report.py` masks addresses).
"""

import difflib
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from pipeline.archive.fetch import Http
from pipeline.doctor.finding import Finding, looked
from pipeline.doctor.report import MASK
from pipeline.errors import ComexError
from pipeline.paths import Paths
from pipeline.settings import Settings

PART = "settings"
OURS = {"COMEX_WAREHOUSE"}  # set for dbt by every run
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
NOT_READ = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")  # by httpx, though others read them


def look(given: Mapping[str, Any]) -> tuple[Settings, list[Finding]]:
    """The settings that a run would have, as far as they can be used, and what is to be said of the environment."""
    settings, refused = _usable(given)
    looks = {
        "settings": lambda: [*refused, _in_force(settings, given)],
        "unknown variables": _unknown,
        "proxies": lambda: _proxies(settings),
        "certificates": _certificates,
        "DAGSTER_HOME": lambda: _dagster(Paths(settings.home)),
    }
    return settings, [finding for subject, each in looks.items() for finding in looked(PART, subject, each)]


def secrets(settings: Settings) -> set[str]:
    """Words that no report may hold: names with their passwords, and passwords, of addresses in the settings and the environment."""
    addresses = [str(settings.source), settings.douane_page, settings.douane_dataset]
    addresses += [os.environ.get(spelt, "") for name in PROXIES[:3] for spelt in (name, name.lower())]
    addresses += [value for name, value in os.environ.items() if name.endswith("_URL")]
    found = set()
    for address in addresses:
        userinfo = re.sub(r"^[\w+.-]+:/*", "", address).rpartition("@")[0]
        password = userinfo.partition(":")[2]
        found |= {userinfo, password, unquote(password)} if password else set()
    return {secret for secret in found if len(secret) > 2}


def _environment() -> dict[str, str]:
    """The variables that are ours, by the name that a setting would have."""
    return {name.upper(): value for name, value in os.environ.items() if name.upper().startswith("COMEX_")}


def _usable(given: Mapping[str, Any]) -> tuple[Settings, list[Finding]]:
    """The settings without those that cannot be used, each of which is a finding."""
    try:
        return Settings(**given), []
    except Exception:  # a bug's kinds as well (`~nobody`): which setting it is shows below
        pass
    chosen = {name: value for name in Settings.model_fields if (value := _environment().get(f"COMEX_{name.upper()}")) is not None}
    good, findings = dict[str, Any](), list[Finding]()
    for name, value in {**chosen, **given}.items():

        def alone(name: str = name, value: object = value) -> list[Finding]:
            Settings(_env_prefix="COMEX_DOCTOR_", **{name: value})
            good[name] = value
            return []

        findings += looked(PART, f"COMEX_{name.upper()}", alone)
    return Settings(_env_prefix="COMEX_DOCTOR_", **good), findings


def _in_force(settings: Settings, given: Mapping[str, Any]) -> Finding:
    environment = _environment()
    origins = {}
    for name in Settings.model_fields:
        variable = f"COMEX_{name.upper()}"
        origins[variable] = f"option --{name}" if name in given else "environment" if variable in environment else "default"
    values = {variable: getattr(settings, variable[6:].lower()) for variable in origins}
    said = {name: value.pattern if isinstance(value, re.Pattern) else value for name, value in values.items()}
    lines = [f"{name} = {'(none)' if said[name] in (None, '') else said[name]}   [{origin}]" for name, origin in origins.items()]
    chosen = [name for name, origin in origins.items() if origin != "default"]
    found = f"{len(chosen)} of {len(origins)} settings are not at their default" + (f": {', '.join(chosen)}." if chosen else ".")
    facts = {name: {"value": str(said[name]), "origin": origin} for name, origin in origins.items()}
    return Finding(PART, "settings in force", found, lines=lines, facts=facts)


def _unknown() -> list[Finding]:
    known = {f"COMEX_{name.upper()}" for name in Settings.model_fields} | OURS
    findings = []
    for name in sorted(_environment().keys() - known):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        meant = f"; {near[0]} may be meant, and is {'set too' if near[0] in _environment() else 'at its default'}" if near else ""
        findings.append(
            Finding(
                PART,
                f"variable {name}",
                f"{name} is set, and is none of the {len(known)} variables that are read{meant}.",
                "wrong" if near else "to watch",
                f"write {near[0]}, or unset it" if near else "unset it if nothing else needs it; the settings are in the README",
            )
        )
    return findings


@contextmanager
def _alone(variables: dict[str, str]) -> Iterator[None]:
    """An environment with these proxies and certificates, and no others."""
    names = {spelt for name in (*PROXIES, *CERTIFICATES) for spelt in (name, name.lower())}
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


def _proxies(settings: Settings) -> list[Finding]:
    found = {spelt: os.environ[spelt] for name in PROXIES for spelt in (name, name.lower()) if os.environ.get(spelt)}
    if not found:
        return [Finding(PART, "proxies", "None is set: requests go straight to the servers.")]
    lines = [f"{name}={_masked(value)}" for name, value in found.items()]
    findings = []
    for name, value in found.items():
        with _alone({name: value}):
            try:
                Http(settings)
            except (ComexError, httpx.InvalidURL) as error:
                said = error.expected_found if isinstance(error, ComexError) else str(error)
                findings.append(
                    Finding(
                        PART,
                        name,
                        f"{name}={_masked(value)} cannot be used: {said.replace(value, _masked(value))}",
                        "wrong",
                        "correct or unset it; a proxy looks like http://proxy.example:3128, and NO_PROXY like"
                        " localhost,.example.org,10.0.0.1",
                    )
                )
    for name in PROXIES:
        upper, lower = os.environ.get(name), os.environ.get(name.lower())
        if upper and lower and upper != lower:
            findings.append(
                Finding(
                    PART,
                    name,
                    f"{name} and {name.lower()} differ; {name.lower()} is the one that counts.",
                    "to watch",
                    "set both to the same value, or keep one",
                )
            )
    return [Finding(PART, "proxies", f"{len(found)} variables are set.", lines=lines), *findings]


def _masked(proxy: str) -> str:
    before, at, host = proxy.rpartition("@")
    scheme = re.match(r"[\w+.-]+://", before)
    return f"{scheme[0] if scheme else ''}{MASK}@{host}" if at else proxy


def _certificates() -> list[Finding]:
    findings = []
    for name in CERTIFICATES:
        if not (value := os.environ.get(name)):
            continue
        path = Path(value)
        fault = "there is no such file or folder" if not path.exists() else ""
        known = 0
        if not fault:
            try:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": value})
                known = len(context.get_ca_certs())
                fault = "" if known or path.is_dir() else "it holds no certificate authority"
            except (ssl.SSLError, OSError) as error:
                fault = f"it cannot be read as certificates ({error})"
        if fault:
            remedy = "name a PEM file that holds the authorities to trust, the office's own among them, or unset it"
            findings.append(Finding(PART, name, f"{name}={value}: {fault}.", "wrong", remedy))
        else:
            findings.append(
                Finding(PART, name, f"{name}={value}: {known} authorities." if known else f"{name}={value} is there.")
            )
    for name in NOT_READ:
        if os.environ.get(name) and not os.environ.get("SSL_CERT_FILE"):
            remedy = f"if this office's proxy signs itself, set SSL_CERT_FILE={os.environ[name]} too"
            findings.append(
                Finding(PART, name, f"{name} is set, which comex does not read; SSL_CERT_FILE is not.", "to watch", remedy)
            )
    return findings or [
        Finding(PART, "certificates", "Those that come with the packages are used: no SSL_CERT_FILE, no SSL_CERT_DIR.")
    ]


def _dagster(paths: Paths) -> Finding:
    value = os.environ.get("DAGSTER_HOME")
    if not value:
        return Finding(PART, "DAGSTER_HOME", "It is not set: comex sets it to the folder beside its outputs.")
    if Path(value).expanduser().resolve() == paths.dagster:
        return Finding(PART, "DAGSTER_HOME", "It is the folder beside the outputs.")
    return Finding(
        PART,
        "DAGSTER_HOME",
        f"It is {value}; the runs of `comex` are recorded in {paths.dagster}, whatever it says.",
        "to watch",
        f"for the commands `dagster …` set it to {paths.dagster}, or they show other runs than those of `comex`",
    )
