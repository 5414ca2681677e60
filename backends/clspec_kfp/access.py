"""The rights that steps need beyond what an installation gives them: those of launchers, in their namespace alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.trainjob import TRAINJOBS, is_launched
from clspec_kfp.written import dump

if TYPE_CHECKING:
    from clspec.plan import Plan
    from clspec_kfp.options import Options

_RBAC = "rbac.authorization.k8s.io"


def access(plan: Plan, options: Options) -> dict[str, str]:
    """A file with a Role and whom it is bound to, if any step launches a job on several machines."""
    if not any(is_launched(step) for pipeline in plan.pipelines for step in pipeline.steps):
        return {}
    role = f"{plan.name}-trainjobs"
    documents = (
        _object("Role", role, options) | {"rules": TRAINJOBS},
        _object("RoleBinding", role, options)
        | {
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": options.service_account}],
        },
    )
    return {"access.yaml": dump(documents)}


def _object(kind: str, name: str, options: Options) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "clspec"}
    metadata = {"name": name, "labels": labels} | ({"namespace": options.namespace} if options.namespace else {})
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata}
