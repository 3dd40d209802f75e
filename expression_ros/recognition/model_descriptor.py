"""The descriptor that a model's manifest asks for."""

from __future__ import annotations

from pathlib import Path

from expression_ros.recognition.descriptors import (
    Descriptor,
    DescriptorError,
    PackageMissingError,
    make_descriptor,
)
from expression_ros.recognition.model_manifest import (
    MANIFEST_NAME,
    ModelError,
    ModelManifest,
    remedy,
)


def descriptor_of(manifest: ModelManifest, folder: Path) -> Descriptor:
    """Build the descriptor a model was trained on.

    Args:
        manifest: of the model.
        folder: the model folder, from which relative file names start.

    Raises:
        ModelError: it cannot be built, or does not make vectors of the length of the manifest.
    """
    path = folder / MANIFEST_NAME
    file = manifest.descriptor_settings.get("file")
    vouched = manifest.descriptor_file
    # Before it is opened: cv2.dnn may end the process on a damaged network.
    if file is not None and (vouched is None or vouched.path != file):
        raise ModelError(
            f"{path}: it gives no SHA-256 of {file}, the file of its descriptor; "
            f"{remedy(manifest.kind)}"
        )
    try:
        descriptor = make_descriptor(
            manifest.descriptor, manifest.descriptor_settings, manifest.face.size, folder
        )
    except PackageMissingError as error:  # nothing is wrong with the model
        raise ModelError(f"{path}: {error}") from error
    except DescriptorError as error:
        raise ModelError(f"{path}: {error}; {remedy(manifest.kind)}") from error
    if descriptor.size != manifest.descriptor_size:
        raise ModelError(
            f"{path}: descriptor {manifest.descriptor} makes vectors of "
            f"{descriptor.size}, not {manifest.descriptor_size}; {remedy(manifest.kind)}"
        )
    return descriptor
