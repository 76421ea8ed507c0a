"""``wheeltapper models``: how models that were trained elsewhere come to gateways."""

import typer

from wheeltapper.models import catalogue, delivery, founding, keys, pruning, pull, serve

app = typer.Typer(
    no_args_is_help=True,
    help="Sign models, give them out, and fetch them. See docs/models.md.",
)
app.command("init")(founding.init)
app.command("publish")(delivery.publish)
app.command("list")(catalogue.list_)
app.command("show")(catalogue.show)
app.command("promote")(delivery.promote)
app.command("rollback")(delivery.rollback)
app.add_typer(keys.app, name="keys")
app.command("refresh")(delivery.refresh)
app.command("prune")(pruning.prune)
app.command("serve")(serve.serve)
app.command("pull")(pull.pull)
