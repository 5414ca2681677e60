"""Every code a diagnostic can carry: what it weighs, what it means and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.diagnostic import Diagnostic, Severity

if TYPE_CHECKING:
    from clspec.diagnostic import Fix, Related, Span


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of problem: its weight, a title of a few words, and a paragraph for `clspec explain`."""

    severity: Severity
    title: str
    text: str


def problem(  # noqa: PLR0913  # a diagnostic is this many plain facts
    code: str,
    message: str,
    *,
    path: str,
    span: Span | None = None,
    hint: str = "",
    where: str = "",
    related: tuple[Related, ...] = (),
    fix: Fix | None = None,
) -> Diagnostic:
    """A diagnostic that weighs what its code says.

    Raises:
        KeyError: the code is not in the table.
    """
    severity = CODES[code].severity
    return Diagnostic(
        code=code,
        severity=severity,
        message=message,
        path=path,
        span=span,
        hint=hint,
        where=where,
        related=related,
        fix=fix,
    )


_E = Severity.ERROR
_W = Severity.WARNING

CODES: dict[str, Code] = {
    # -- reading the file ----------------------------------------------------------------------------------------
    "CLS101": Code(_E, "not valid YAML", "The text cannot be read as YAML; the place is where the parser gave up."),
    "CLS102": Code(_E, "not UTF-8 text", "A spec is a UTF-8 text file. Save it as UTF-8 without other encodings."),
    "CLS103": Code(
        _E,
        "file too large",
        "A spec may be 32 MiB, with four million keys, values and brackets (256 KiB where PyYAML came without "
        "libyaml: its Python stand-in is slow).",
    ),
    "CLS104": Code(
        _E,
        "hidden character",
        "Control characters, bidirectional overrides, characters without width, and the line breaks NEL, U+2028, "
        "U+2029 and a lone carriage return can make a reviewer see another text than the machine reads. Joiners and "
        "variation selectors are accepted after letters that they can act on, not after ASCII. Remove the character; "
        'inside a double-quoted string an escape such as "\\u2028" says the same in the open (but no text can hold '
        "a null character or half a surrogate pair).",
    ),
    "CLS105": Code(
        _E,
        "key given twice",
        "The same key stands twice in one mapping. Other readers keep the last one silently; here one must go.",
    ),
    "CLS106": Code(_E, "key is not a string", "Keys are strings. Quote the key: `'1': ...` instead of `1: ...`."),
    "CLS107": Code(_E, "tag", "YAML tags (`!something`) make a value depend on the reader. Write the plain value."),
    "CLS108": Code(_E, "not a finite number", "NaN and infinities compare with nothing; a gate must. Give a number."),
    "CLS109": Code(_E, "nested too deeply", "A spec may nest 64 levels."),
    "CLS110": Code(
        _E,
        "aliases expand too far",
        "Aliases (`*name`) and merges (`<<`) are counted as if written out; a few lines can otherwise stand for "
        "gigabytes. An alias inside its own anchor never ends.",
    ),
    "CLS111": Code(_E, "empty file", "The file holds no document. `apiVersion` and `kind` come first."),
    "CLS112": Code(_E, "not a mapping", "The top of a spec is a mapping of keys such as `apiVersion: ...`."),
    "CLS113": Code(
        _E, "more than one document", "One file is one spec: remove the `---` and what follows, or split it."
    ),
    "CLS114": Code(
        _W,
        "merge key",
        "`<<` copies keys from elsewhere in the file, so that a reviewer does not see them where they act. "
        "It works; writing the keys out is clearer.",
    ),
    "CLS115": Code(_E, "alias without anchor", "`*name` repeats what `&name` marked earlier in the file; nothing did."),
    "CLS116": Code(
        _E, "integer out of range", "Integers have at most 64 bits with a sign; quote it if it is a name, not a number."
    ),
    "CLS117": Code(_E, "nothing to merge", "`<<` takes a mapping or a list of mappings, as aliases or written there."),
    # -- the shape of the document -------------------------------------------------------------------------------
    "CLS201": Code(
        _E,
        "unknown key",
        "The language has no such key here. Keys are never ignored: a misspelt safety rule would silently be none. "
        "Free-form notes go under `meta`.",
    ),
    "CLS202": Code(_E, "missing key", "A key that is required here is absent."),
    "CLS203": Code(
        _E,
        "wrong type",
        "The value is of another type than this key takes. Scalars follow YAML 1.2: `3e-4` is a number, `no` a string.",
    ),
    "CLS204": Code(_E, "not one of the allowed values", "The key takes one of a fixed list of values."),
    "CLS205": Code(
        _E,
        "not of the required form",
        "The text does not have the form that this key demands: names are lower-case letters, digits and hyphens; "
        "durations `90s 15m 6h 14d`; memory `512Mi 16Gi`; entry points `module:function`.",
    ),
    "CLS206": Code(_E, "number out of range", "The number lies outside what this key accepts."),
    "CLS207": Code(_E, "wrong number of items", "The list or mapping has too few or too many items, or one twice."),
    "CLS208": Code(_E, "exactly one of several keys", "Exactly one of the named keys must be given."),
    "CLS209": Code(
        _E,
        "keys that go together",
        "One of the keys says nothing, or something unsafe, without another: `matures_after` and `when_absent`; "
        "several `votes` and `on_disagreement`; `max_disagreement` and an `audit_rate` over 0; `max_per_group` and the "
        "dataset's `group`; a metric of scores and `task.score`; one of latency and `inference.entrypoint`.",
    ),
    "CLS210": Code(
        _E,
        "unknown language version",
        "This clspec reads `clspec.dev/v1alpha1`. A file of a newer language needs a newer clspec; nothing else "
        "of the file was judged.",
    ),
    "CLS211": Code(
        _W,
        "read otherwise by other tools",
        "Specs follow YAML 1.2, in which `no` is a text and `0755` the number 755. Many tools still follow YAML 1.1, "
        "in which they are `false` and 493. Quotes, or the plain number, say the same to all of them.",
    ),
    # -- names and what they refer to ----------------------------------------------------------------------------
    "CLS301": Code(_E, "unknown reference", "The name refers to a dataset, source, slice or such that is not defined."),
    "CLS302": Code(
        _E,
        "unknown column",
        "The dataset or source has no column of that name. Names are told apart by case, but two that differ in "
        "nothing else are one column to DuckDB. In a predicate a string stands in single quotes: `'night'` is a "
        'value, `night` and `"night"` are columns.',
    ),
    "CLS303": Code(_E, "unknown class", "The class is not in `task.classes`; a gate on it would judge nothing."),
    "CLS304": Code(_E, "unknown metric", "The metric is not built in and is not of the form `python:module:function`."),
    "CLS305": Code(_E, "id given twice", "Two items share one id, so that a verdict would not say whose it is."),
    "CLS306": Code(_E, "circular reference", "Datasets that are `like` each other never say what they hold."),
    "CLS307": Code(
        _E,
        "metric and its class",
        "Metrics about one class (recall, precision, f1, false_positive_rate, false_negative_rate, auroc) need "
        "`class`; the others are over all rows and take none.",
    ),
    "CLS308": Code(_E, "no such code folder", "`code.root` names the folder with the user's code, beside the spec."),
    "CLS309": Code(
        _E,
        "no such entry point",
        "`module:function` must name a function at the top level of a module under `code.root`. It is looked up by "
        "reading the source; nothing is imported or run.",
    ),
    "CLS310": Code(_E, "module cannot be read", "The module is not valid Python, so that its functions are unknown."),
    "CLS311": Code(
        _E,
        "parameters do not fit",
        "An entry point is called with keyword arguments: `train(data, validation, model_dir, seed, **params)`, "
        "`predict(data, model_dir)`, `auto_label(data)`, a metric `(rows)`, a source without any. Every key of "
        "`params` must be a parameter, and every parameter without a default must be given.",
    ),
    "CLS312": Code(_E, "unknown placeholder", "A command may hold only the placeholders of its place, each whole."),
    "CLS313": Code(_E, "columns do not fit", "What is named there does not have the columns or types needed here."),
    "CLS314": Code(
        _E, "not a schedule", "`cron` has five fields (minute hour day month weekday); `time_zone` is an IANA name."
    ),
    "CLS315": Code(
        _E,
        "path cannot be used",
        "The code root is a folder beside the spec that does not hold the spec itself, and nothing in it leads out of "
        "it. A store and the files of a source lie at a path relative to the spec or at an `s3://` URI without "
        "credentials.",
    ),
    "CLS316": Code(
        _E,
        "literal secret",
        "A spec is reviewed, committed and compiled into files that many can read. Give a secret by the name of a "
        "variable (`dsn_env`, `webhook_env`, `secrets`) or by a Kubernetes secret reference. One that has stood in a "
        "file is known: replace it where it was issued, too. What is meant is not shown here.",
    ),
    "CLS317": Code(
        _W,
        "override without effect",
        "The environment says what the spec says anyway. Remove it, so that a change of the spec reaches it.",
    ),
    "CLS318": Code(
        _E,
        "role not given",
        "What is asked of a source needs to know which of its columns says when, of which group, what the model said, "
        "or how sure it was: `roles: {time: ts, group: ride_id, prediction: pred, confidence: conf, media: frame}`.",
    ),
    "CLS319": Code(
        _E,
        "trigger of the other pipeline",
        "Labels and new production data start `improvement`; `regression` reads pinned data only, which they do not "
        "change. The pipeline `improvement` is what the section `feedback` says.",
    ),
    "CLS320": Code(
        _E,
        "predicate cannot be read",
        "Predicates are a small closed part of SQL: comparison, `and or not`, `in`, `between`, `is [not] null`, "
        "`like`, arithmetic and a few pure functions of one row. There is no subquery, file, clock or chance. Strings "
        "are in single quotes, `timestamp '2026-01-31T00:00:00Z'` and `date '2026-01-31'` are points in time.",
    ),
    "CLS321": Code(
        _E,
        "types in a predicate",
        "There are no implicit conversions: `label = 3` compares a string with a number and would be an error or, "
        "worse, empty. Only an integer beside a double counts as a double. A predicate as a whole is true or false.",
    ),
    "CLS322": Code(
        _E,
        "predicate too large",
        "A predicate nests at most 24 levels and has at most 4,096 characters; a chain of `and` or of `or` is one "
        "level, however long. Give the source a column for a part of it.",
    ),
    # -- what keeps a gate honest --------------------------------------------------------------------------------
    "CLS401": Code(
        _E, "nothing must pass", "A golden set without a single `must_pass: true` scenario lets every model through."
    ),
    "CLS402": Code(
        _E,
        "only comparisons",
        "A must-pass scenario needs a check with `min` or `max`: a comparison says nothing while there is no champion, "
        "and a chain of models, each a little worse, passes it for ever.",
    ),
    "CLS403": Code(
        _E,
        "cannot be met",
        "Even a faultless model could not meet this bound with the rows (or clusters) that the pinned golden set "
        "has for it: zero errors in n samples prove at most (1 - confidence)^(1/n). Add golden rows, or set a "
        "threshold that so few can prove. Some thresholds (`min: 1`, `max: 0`) no number of samples can prove.",
    ),
    "CLS404": Code(
        _E, "golden data not pinned", "The golden dataset needs `pinned: true`: nothing may append to it unseen."
    ),
    "CLS405": Code(_E, "trained on golden data", "The training dataset and the golden dataset are one and the same."),
    "CLS406": Code(
        _E,
        "point gate on a must-pass",
        "`gate: point` judges the estimate without its uncertainty; a must-pass scenario is judged at its bound.",
    ),
    "CLS407": Code(
        _E,
        "bounds the harmless side",
        "The metric is better when higher and has a `max` (or lower and has a `min`): the check would refuse good "
        "models and pass bad ones.",
    ),
    "CLS408": Code(
        _E,
        "nothing to compare with",
        "A `margin`, and any check of negative_flip_rate, sets the new model against the champion. `golden.baseline` "
        "must say so, and what to do while there is none.",
    ),
    "CLS409": Code(
        _E,
        "golden rows cannot be told",
        "That no golden row is learned from is checked by key and by group. Both datasets need both, of the same "
        "types; `like` copies them.",
    ),
    "CLS410": Code(
        _E,
        "comparison out of place",
        "`margin` is offered for metrics whose difference can be bounded, and negative_flip_rate is itself a "
        "comparison. `max_gap` compares the groups of a `for_each`; it is judged as a point, without its uncertainty, "
        "and so belongs where `must_pass: false`.",
    ),
    "CLS411": Code(
        _E,
        "not for this type of task",
        "A classification has `classes` and metrics of right and wrong answers, a regression numbers and metrics of "
        "distances (mae, rmse); a task of type custom is judged by metrics of your own, `python:module:function`.",
    ),
    "CLS412": Code(
        _W,
        "one class only",
        "The must-pass scenario judges one class by its recall alone: a model that always answers that class passes. "
        "Add a `guard` that limits the false positives on rows of other classes.",
    ),
    "CLS413": Code(
        _E,
        "facts about a metric",
        "Of a metric of your own clspec knows nothing: `higher_is_better` and `range` must be given. Of those that are "
        "built in it knows both, and takes no other word for it.",
    ),
    "CLS414": Code(
        _W,
        "rows taken as independent",
        "The golden dataset has a `group`, so that its rows come in clumps, but `golden.cluster_by` is not given: "
        "bounds computed as if the rows were independent are too narrow.",
    ),
    "CLS415": Code(
        _W,
        "data gate that no run asks",
        "`expect` and `freshness` are asked of what a run reads: of the sources that `feedback` names, before anything "
        "is mined, and of the dataset that is learned from. Elsewhere they keep nothing out.",
    ),
    # -- how mistakes come back as data --------------------------------------------------------------------------
    "CLS421": Code(
        _E,
        "way into training without a guard",
        "What is mined, labelled and appended must not hold golden rows. `feedback.leakage_guard` with the golden "
        "dataset in `against` drops them, by key and by group; without it a model could learn its own test.",
    ),
    "CLS422": Code(
        _E,
        "appends where it must not",
        "New rows are appended to the dataset that the model learns from, which is neither golden nor pinned: what is "
        "pinned stays as reviewed.",
    ),
    "CLS423": Code(
        _W,
        "no unbiased estimate",
        "All other rules look where mistakes are expected. A rule of type `random` has people label a plain share of "
        "all rows: the only honest estimate of how good the model is in production.",
    ),
    "CLS424": Code(
        _W,
        "labels that nobody audits",
        "With an `audit_rate` of 0 no person ever sees a label that the auto-labeller gave, so that its mistakes "
        "become the truth that the next model learns.",
    ),
    "CLS431": Code(
        _E,
        "champion is not the last stage",
        "The stage `champion` is what comparisons are made with and what promotion leads to: it is there, and last.",
    ),
    # -- what a target can and cannot say ------------------------------------------------------------------------
    "CLS501": Code(
        _E,
        "no image",
        "Steps on a cluster run in an image: give `code.image` and `code.workdir`; `clspec image` builds one.",
    ),
    "CLS502": Code(
        _E,
        "floating image",
        "A tag can mean another image tomorrow. Write `name@sha256:...`, or record what the tag means now with "
        "`clspec lock SPEC --update NAME:TAG`, which asks its registry, or with `clspec lock SPEC --image sha256:...`, "
        "or build and push it with `clspec image SPEC --push`. No registry is asked unless you do.",
    ),
    "CLS503": Code(_W, "trigger not expressed", "The target cannot start a run on this event; something else must."),
    "CLS504": Code(_W, "hint not kept", "The target cannot pass on this hint; the run means the same without it."),
    "CLS505": Code(
        _W,
        "store is a path of this machine",
        "A cluster cannot see a local path, so the run takes the store's URI as a required parameter `store`.",
    ),
    "CLS506": Code(
        _E, "text that the target would change", "The target expands some texts (templates, variables); this one."
    ),
    "CLS507": Code(_E, "too large for the target", "The target caps the number of tasks or the size of its objects."),
    "CLS510": Code(
        _W,
        "large for the target",
        "The object is far larger than most, and the target takes it only with a setting of its own (Argo, and "
        "Kubeflow on top of it: offload the status of nodes). Fewer seeds or shards make fewer steps.",
    ),
    "CLS511": Code(
        _E, "the target would refuse it", "A manifest breaks a rule of the target itself: it would not run."
    ),
    "CLS512": Code(
        _W, "not as clspec would", "A manifest is valid, and breaks a rule that clspec holds its own manifests to."
    ),
    "CLS530": Code(
        _W,
        "names of fields not judged",
        "Which fields a target knows stands in packages that are not installed, or in a schema that was not given: a "
        "slip in a name would not be seen. `pip install 'clspec[kfp]'` brings Kubeflow's, `'clspec[lint]'` Argo's.",
    ),
    "CLS509": Code(
        _W,
        "part not emitted",
        "The target cannot yet express a pipeline that branches, or a step that runs however the others end. What is "
        "emitted means the same without it; run the rest with `clspec run --local`.",
    ),
    "CLS508": Code(_E, "target cannot express it", "The target has no way to say this, and the meaning would change."),
    # -- where steps run, and who is told ------------------------------------------------------------------------
    "CLS520": Code(
        _E,
        "several machines for what is no training",
        "`nodes` is for `training`: its processes speak with each other and make one model. Predictions need no such "
        "thing: `inference.shards` cuts the rows into parts, and each part is a step of its own on any machine.",
    ),
    "CLS521": Code(
        _E,
        "two places for one webhook",
        "A step reads a variable from one place. Entries of `notify` with the same `webhook_env` mean the same "
        "webhook, so that no more than one Kubernetes secret and key can hold it.",
    ),
    "CLS525": Code(
        _W,
        "made anew each time",
        "Results of earlier runs were asked for, and those of this step cannot be found again: the target has no room "
        "to say what they were made from. The step runs in every run, and means the same.",
    ),
    # -- the lock ------------------------------------------------------------------------------------------------
    "CLS601": Code(
        _E,
        "no pin",
        "The lock does not say which bytes this dataset means, so that two runs could judge different data. "
        "`clspec lock SPEC` pins what has no pin.",
    ),
    "CLS602": Code(
        _E,
        "stale pin",
        "The lock was made for another text of the spec than this one. `clspec lock SPEC` brings it up to date "
        "and keeps every dataset's digest.",
    ),
    "CLS603": Code(_E, "lock cannot be read", "The lock is written by `clspec lock`; restore it from version control."),
    "CLS604": Code(_W, "pin without use", "The lock pins something that the spec no longer has."),
    "CLS605": Code(
        _E,
        "lock of a newer clspec",
        "The lock was written by a newer clspec than this one. It was not read, and nothing was judged against it.",
    ),
    # -- waivers -------------------------------------------------------------------------------------------------
    "CLS701": Code(
        _E,
        "waiver of what cannot be waived",
        "A waiver accepts one warning at one place for a while. An error stays one, and so does a verdict.",
    ),
    "CLS702": Code(
        _W,
        "waiver has expired",
        "From the day in `expires` on the warning is shown again. Mend its cause, or have its owner set another day.",
    ),
    "CLS703": Code(
        _W,
        "waiver without use",
        "There is no such warning at that place: it was mended, or the path is another. `clspec check --format json` "
        "shows the place of each warning as `where`. Waivers of what a target warns of are not judged here.",
    ),
}
