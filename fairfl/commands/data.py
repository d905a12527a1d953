"""``fairfl data``: the data sets, where they are, whether they are intact."""

from pathlib import Path

import click


@click.command()
@click.argument("names", nargs=-1)
@click.option("--fetch", is_flag=True,
              help="Fetch what is missing, and the original where only a copy lies.")
@click.option("--data-root", type=click.Path(path_type=Path),
              help="Where the data sets lie or are fetched to.  "
              "[default: $FAIRFL_DATA, else the user's cache]")
def data(names: tuple[str, ...], fetch: bool, data_root: Path | None) -> None:
    """List data sets: samples, place, state, licence, citation.

    NAMES: digits, mnist, cifar10, mr, sst, or paths of files .npz of your own.
    [default: all that have a name]

    The state is "intact" (each file has its published checksum), "intact, a copy",
    "missing" or "damaged". The exit code is 1 if something that was asked for by name,
    or with --fetch, is not intact.
    """
    from fairfl import datasets

    faults = []
    for name in names or datasets.DATASETS:
        try:
            fault = _fetch(name, data_root) if fetch else ""
            status = datasets.status(name, data_root)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        click.echo("\n".join(_lines(name, status, fault or status.fault)) + "\n")
        faults += [name] if fault or status.state != "intact" else []
    if faults and (names or fetch):
        advice = "" if fetch else "; --fetch gets what is missing"
        raise click.ClickException("not as it should be, see above: "
                                   f"{', '.join(faults)}{advice}")


def _fetch(name: str, root: Path | None) -> str:
    """What went wrong, if anything did."""
    from fairfl import datasets

    try:
        if not name.endswith(".npz"):
            datasets.fetch(name, root)
    except datasets.DataError as error:
        return str(error)
    return ""


def _lines(name: str, status, fault: str) -> list[str]:
    from fairfl import datasets

    copy = status.found and not status.found.original
    state = f"{status.state}, a copy" if copy else status.state
    lines = [f"{name}: {state}"]
    about = getattr(datasets.DATASETS.get(name), "ABOUT", None)
    samples = status.found and status.found.samples
    if about:
        lines.append(f"  title    {about.title}")
        samples = samples or about.samples
    if samples:
        parts = zip(samples, ("training", "validation", "test"), strict=True)
        counts = ", ".join(f"{n:,} {part}" for n, part in parts if n)
        lines.append(f"  samples  {counts}")
    if status.found:
        lines += [f"  place    {status.found.place}",
                  f"  sha256   {status.found.sha256}"]
    if fault:
        lines.append(f"  fault    {fault}")
    if about:
        lines += [f"  licence  {about.licence}", f"  cite     {about.citation}",
                  f"  home     {about.home}"]
        archives = datasets.DATASETS[name].ARCHIVES
        urls = [url for archive in archives for url in archive.urls]
        if len(archives) > 1:
            urls = list(dict.fromkeys(f"{url.rpartition('/')[0]}/" for url in urls))
        lines += [f"  source   {url}" for url in urls]
    return lines
