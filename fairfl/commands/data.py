"""``python -m fairfl data``: the data sets, where they are, whether they are intact; fetch what is missing."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("names", nargs=-1)
@click.option("--fetch", is_flag=True, help="Fetch what is missing, and the original where only a copy lies.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Where the data sets lie or are fetched to.  "
              "[default: $FAIRFL_DATA, else the user's cache]")
def data(names: tuple[str, ...], fetch: bool, data_root: Path | None) -> None:
    """List data sets: samples, place, state, licence, citation.

    NAMES: digits, mnist, cifar10, mr, sst, or paths of files .npz of your own.  [default: all that have a name]

    The state is "intact" (each file has its published checksum), "intact, a copy", "missing" or "damaged". The exit
    code is 1 if something that was asked for by name, or with --fetch, is not intact.
    """
    from fairfl import datasets

    asked = bool(names or fetch)
    names = names or tuple(datasets.DATASETS)
    faults = []
    for name in names:
        try:
            fault = _fetch(name, data_root) if fetch and not name.endswith(".npz") else ""
            status = datasets.status(name, data_root)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        click.echo("\n".join(_lines(name, status, fault or status.fault)) + "\n")
        faults += [name] if fault or status.state != "intact" else []
    if faults and asked:
        advice = "" if fetch else "; --fetch gets what is missing"
        raise click.ClickException(f"not as it should be, see above: {', '.join(faults)}{advice}")


def _fetch(name: str, root: Path | None) -> str:
    """What went wrong, if anything did."""
    from fairfl import datasets

    try:
        datasets.fetch(name, root)
    except datasets.DataError as error:
        return str(error)
    return ""


def _lines(name: str, status, fault: str) -> list[str]:
    from fairfl import datasets

    state = status.state if not status.found or status.found.original else f"{status.state}, a copy"
    lines = [f"{name}: {state}"]
    about = getattr(datasets.DATASETS.get(name), "ABOUT", None)
    if about:
        lines.append(f"  title    {about.title}")
    if samples := status.found and status.found.samples or about and about.samples:
        parts = zip(samples, ("training", "validation", "test"), strict=True)
        lines.append(f"  samples  {', '.join(f'{n:,} {part}' for n, part in parts if n)}")
    if status.found:
        lines += [f"  place    {status.found.place}", f"  sha256   {status.found.sha256}"]
    if fault:
        lines.append(f"  fault    {fault}")
    if about:
        lines += [f"  licence  {about.licence}", f"  cite     {about.citation}", f"  home     {about.home}"]
        urls = [url for archive in datasets.DATASETS[name].ARCHIVES for url in archive.urls]
        if len(datasets.DATASETS[name].ARCHIVES) > 1:
            urls = dict.fromkeys(f"{url.rpartition('/')[0]}/" for url in urls)
        lines += [f"  source   {url}" for url in urls]
    return lines
