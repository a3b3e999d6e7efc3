"""Stage publish: the file or the folder appears under its name, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from mmconvert.conversion import Conversion, Product
from mmconvert.destination import bundle_path, find_targets, folder_beside, is_bundle
from mmconvert.durable import remove_folder, write_folder, write_whole
from mmconvert.origin import remember_origin
from mmconvert.source.folder import require_unchanged
from mmconvert.workshop import Workshop
from mmwire.manifest import LABELS_SUFFIX


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with the places to which its product was written.

    Raises:
        ConvertError: ``PUBLISH_FAILED``; ``SAVED_MODEL_INVALID``: the model changed while it was converted.
    """
    job, product = conversion.job, conversion.product
    require_unchanged(job.source, conversion.subject.stamp)
    places = find_targets(job)
    if product.folder is not None:
        places = [bundle_path(place) for place in places]
    workshop.progress.on_step(", ".join(str(place) for place in places))
    for place in places:
        if product.folder is None:
            _write_file(product, place)
        else:
            _write_bundle(product.folder, conversion.subject.labels, place)
    remember_origin(job, product.content)
    return conversion.adding(places=tuple(places))


def _write_file(product: Product, place: Path) -> None:
    """Write the file, and take away the folder that an earlier conversion to FULL_TF left under the same name."""
    write_whole(place, product.content)
    folder = folder_beside(place)
    if folder != place and is_bundle(folder):
        remove_folder(folder)


def _write_bundle(folder: Path, labels: list[str], place: Path) -> None:
    if labels:
        write_whole(place.with_name(place.name + LABELS_SUFFIX), "".join(f"{label}\n" for label in labels).encode())
    write_folder(folder, place)
