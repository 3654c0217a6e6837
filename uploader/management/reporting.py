"""What the import commands print: a report for people or for programs, the id alone on the last line."""

import json

from django.core.management.base import OutputWrapper

from uploader.importing import ImportReport


def write_report(report: ImportReport, out: OutputWrapper, *, as_json: bool) -> None:
    """`report` as text, ending in the id of its series or film; or as one line of JSON."""
    if as_json:
        out.write(json.dumps(report.as_json(), ensure_ascii=False) + "\n")
        return
    if report.subject:
        out.write(f"{type(report.subject).__name__}: {report.subject}\n")
    for word, names in (("created", report.created), ("updated", report.updated)):
        for name in names:
            out.write(f"  {word:<9} {name}\n")
    for name, reason in report.skipped:
        out.write(f"  {'skipped':<9} {name}: {reason}\n")
    for note in report.notes:
        out.write(f"  {'note':<9} {note}\n")
    out.write(
        f"{len(report.created)} created, {len(report.updated)} updated, "
        f"{len(report.unchanged)} unchanged, {len(report.skipped)} skipped\n"
    )
    if report.subject:
        out.write(f"{report.subject.pk}\n")
