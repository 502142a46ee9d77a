"""``reg card``: an honest card, from a person's words and verified records only."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.completing import complete_cards
from wxreg.cli.session import Session
from wxreg.ids import not_found


def command(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help="A model, or a dataset of the catalog.", autocompletion=complete_cards),
    ],
    run: Annotated[
        str | None,
        typer.Option(
            help="A training run; else the only one, the last published or the newest one."
        ),
    ] = None,
) -> None:
    """Render cards/<name>.md: of a model from its runs, of a dataset from the catalog.

    The card of a dataset comes with Croissant metadata, cards/<name>.croissant.json.

    Example: reg card unet-hrrr-v1
    """
    session: Session = ctx.obj
    document = _dataset(session, name) if _is_dataset(session, name) else _model(session, name, run)
    if session.json:
        session.document(document)
    session.line(f"card  {document['card']}")
    if "run" in document:
        session.note(f"next: reg publish {name} --to ORG/NAME")


def _is_dataset(session: Session, name: str) -> bool:
    """Whether only the catalog knows that name; a name that nobody knows lists the near ones."""
    models, datasets = session.library.ids("model"), session.library.ids("dataset")
    if name not in models and name not in datasets:
        raise not_found("model", name, [*models, *datasets])
    return name not in models


def _model(session: Session, model: str, run: str | None) -> dict[str, Any]:
    from wxreg.artifacts.digests import file_digest
    from wxreg.cli.ledgers import opened
    from wxreg.publish.card import write_card
    from wxreg.publish.choosing import choose_training

    with opened(session) as ledger:
        choice = choose_training(ledger, model, run)
        if choice.others:
            session.note(
                f"of {choice.run.id}, the {choice.ground} one; --run names another: "
                f"{', '.join(choice.others)}"
            )
        path = write_card(session.library, ledger, model, choice.run.id)
    return {
        "model": model,
        "run": choice.run.id,
        "ground": choice.ground,
        "others": list(choice.others),
        "card": str(path),
        "sha256": file_digest(path),
    }


def _dataset(session: Session, dataset: str) -> dict[str, Any]:
    from wxreg.artifacts.digests import file_digest
    from wxreg.publish.dataset_card import write_dataset_card

    card, croissant = write_dataset_card(session.library, dataset)
    return {
        "dataset": dataset,
        "card": str(card),
        "sha256": file_digest(card),
        "croissant": str(croissant),
    }
