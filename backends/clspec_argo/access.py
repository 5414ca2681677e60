"""What the pods of a run, and what starts runs, may do in the cluster: nothing but what they must."""

from __future__ import annotations

from typing import Any

PODS = [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
"""A pod's own containers of Argo say what became of it."""
STARTER = [{"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create"]}]
"""A Sensor makes Workflows."""

_RBAC = "rbac.authorization.k8s.io"

Document = dict[str, Any]


def account(name: str, rules: list[Document], labels: dict[str, str]) -> dict[str, Document]:
    """A service account with these rights in its namespace alone, by the kind of each object."""
    made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "labels": labels}}
    return {"serviceaccount": made, **granted(name, name, rules, labels)}


def granted(name: str, account: str, rules: list[Document], labels: dict[str, str]) -> dict[str, Document]:
    """These rights, in the namespace alone, for a service account that is there; by the kind of each object.

    It is one of the same namespace, or of the one before a `/`.
    """
    metadata = {"name": name, "labels": labels}
    namespace, _, name_there = account.rpartition("/")
    subject = {"kind": "ServiceAccount", "name": name_there, **({"namespace": namespace} if namespace else {})}
    return {
        "role": {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        "rolebinding": {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
            "subjects": [subject],
        },
    }
