"""The Hugging Face Hub: the only place that speaks to it.

A token comes from the environment or from the Hub's own store.  It is read by the Hub's library
when a request is made and is never held, printed or written by us.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.digests import FileDigest
from wxreg.errors import Conflict, ExternalError, NotFound, RegError, UsageError

_REFUSED: Final = {401: "the Hub does not accept this token", 403: "this token lacks the right"}


@dataclass(frozen=True)
class Result:
    """One score of a model index."""

    task: str
    dataset: str
    protocol: str
    protocol_digest: str
    metric: str
    name: str
    value: float
    args: Mapping[str, Any]


@dataclass(frozen=True)
class ModelHeader:
    """What the Hub is told of a model."""

    name: str
    licence: str
    licence_name: str | None
    licence_link: str | None
    tags: tuple[str, ...]
    datasets: tuple[str, ...]
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Repository:
    """One model repository at one endpoint; ``branch`` is what a release moves."""

    id: str
    branch: str = "main"

    def create(self) -> None:
        """Make the repository unless it exists."""
        with _faults(self.id):
            _api().create_repo(self.id, exist_ok=True)
            if self.branch != "main":
                _api().create_branch(self.id, branch=self.branch, exist_ok=True)

    def head(self, revision: str | None = None) -> str:
        """The commit that a branch, tag or the beginning of a commit stands for."""
        with _faults(self.id):
            return str(_api().model_info(self.id, revision=revision or self.branch).sha)

    def tags(self) -> dict[str, str]:
        """Every tag and its commit."""
        with _faults(self.id):
            return {tag.name: tag.target_commit for tag in _api().list_repo_refs(self.id).tags}

    def files(self, commit: str) -> tuple[str, ...]:
        """The paths of all files at a commit, sorted."""
        with _faults(self.id):
            return tuple(sorted(_api().list_repo_files(self.id, revision=commit)))

    def commit(self, folder: Path, files: tuple[FileDigest, ...], parent: str, message: str) -> str:
        """Make these files the whole content in one commit on top of ``parent``, or nothing."""
        from huggingface_hub import CommitOperationDelete

        stale = set(self.files(parent)) - {*(file.path for file in files), ".gitattributes"}
        operations: list[Any] = [CommitOperationDelete(path) for path in sorted(stale)]
        operations += [_addition(folder, file) for file in files]
        with _faults(self.id), _quiet():
            done = _api().create_commit(
                self.id,
                operations,
                commit_message=message,
                revision=self.branch,
                parent_commit=parent,
            )
        return str(done.oid)

    def tag(self, name: str, commit: str, message: str) -> None:
        """Give a commit a name that stays."""
        with _faults(self.id):
            _api().create_tag(self.id, tag=name, revision=commit, tag_message=message)

    def download(self, path: str, commit: str, target: Path) -> None:
        """Fetch the bytes of one file at a commit, past every cache."""
        with _faults(self.id), _quiet():
            _api().hf_hub_download(
                self.id, path, revision=commit, local_dir=target, force_download=True
            )


def model_header(header: ModelHeader) -> str:
    """The YAML of the header, built and read back by the Hub's own classes."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    results = [
        EvalResult(
            task_type=result.task,
            dataset_type=result.dataset.partition("@")[0],
            dataset_name=result.dataset,
            dataset_split=None,
            dataset_args={"protocol": result.protocol, "digest": result.protocol_digest},
            metric_type=result.metric,
            metric_name=result.name,
            metric_value=result.value,
            metric_args=dict(result.args),
        )
        for result in header.results
    ]
    more: dict[str, Any] = {
        "license_name": header.licence_name,
        "license_link": header.licence_link,
    }
    data = ModelCardData(
        language=None,
        license=header.licence,
        library_name="wxreg",
        tags=list(header.tags),
        datasets=list(header.datasets),
        model_name=header.name,
        eval_results=results or None,
        **{key: value for key, value in more.items() if value},
    )
    text = data.to_yaml()
    read: Any = ModelCard(f"---\n{text}\n---\n").data
    if len(read.eval_results or []) != len(results):
        raise UsageError("REG-280", "the Hub does not read back every score of this card")
    return text + "\n"


def _addition(folder: Path, file: FileDigest) -> Any:
    """One file of a commit with its known digest: the Hub's library would hash it again."""
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.lfs import UploadInfo

    addition = CommitOperationAdd(file.path, str(folder / file.path))
    addition.upload_info = UploadInfo(
        size=file.bytes, sample=addition.upload_info.sample, sha256=bytes.fromhex(file.sha256)
    )
    return addition


def dataset_header(name: str, licence: str, licence_name: str | None, tags: tuple[str, ...]) -> str:
    """The YAML of a dataset card's header, built and read back by the Hub's own classes."""
    from huggingface_hub import DatasetCard, DatasetCardData

    more: dict[str, Any] = {"license_name": licence_name} if licence_name else {}
    data = DatasetCardData(license=licence, pretty_name=name, tags=list(tags), **more)
    text = str(data.to_yaml())
    read: Any = DatasetCard(f"---\n{text}\n---\n").data
    if read.pretty_name != name:
        raise UsageError("REG-280", "the Hub does not read back the header of this card")
    return text + "\n"


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="wxreg")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars of the Hub's library, which say file names on every terminal."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()


@contextmanager
def _faults(where: str) -> Iterator[None]:
    """Turn what the Hub or the way to it did wrong into our errors."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        yield
    except HfHubHTTPError as error:
        raise _fault(error, where) from None
    except LocalTokenNotFoundError:
        hint = "set HF_TOKEN, or `hf auth login`"
        raise ExternalError("REG-781", "the Hub needs a token", where=where, hint=hint) from None
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        met = error.__cause__ or error  # a download past the cache wraps what it met
        if isinstance(met, HfHubHTTPError):
            raise _fault(met, where) from None
        what = f"the exchange with the Hub broke off: {type(met).__name__}: {met}"
        hint = "run the same command again: what has arrived is found, nothing is done twice"
        raise ExternalError("REG-782", what, where=where, hint=hint) from None


def _fault(error: Any, where: str) -> RegError:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    response = error.response
    status = response.status_code
    if isinstance(error, RevisionNotFoundError):
        return NotFound("REG-381", "the repository has no such revision", where=where)
    if isinstance(error, EntryNotFoundError):
        return NotFound("REG-381", "the repository has no such file there", where=where)
    if isinstance(error, RepositoryNotFoundError) and status == 404:
        return NotFound("REG-381", "the Hub shows no such repository", where=where)
    if status in _REFUSED:
        hint = "set HF_TOKEN to a token that may write there, or `hf auth login`"
        return ExternalError("REG-781", _REFUSED[status], where=where, hint=hint)
    if status == 412:
        hint = "look at what was committed, then run the same command again to build on it"
        what = "somebody else committed to this repository meanwhile"
        return Conflict("REG-681", what, where=where, hint=hint)
    if status == 429:
        wait = response.headers.get("Retry-After")
        hint = f"try again in {wait} s" if wait else "try again later"
        return ExternalError("REG-783", "the Hub asks us to slow down", where=where, hint=hint)
    return ExternalError(
        "REG-782",
        f"the Hub answered {status}",
        where=where,
        hint="run the same command again: what has arrived is found, nothing is done twice",
    )
