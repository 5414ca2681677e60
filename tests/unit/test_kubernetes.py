"""Plain objects of Kubernetes beside a target's own: what clspec writes is quiet, what the API refuses an error."""

from pathlib import Path

import pytest
import yaml
from kfp_plans import plan

from clspec import kubernetes
from clspec_argo import lint as argo
from clspec_kfp.lint import lint as kubeflow

RIGHTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: pets}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: "pets:reader"}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: pets}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: "pets:reader"}
subjects: [{kind: ServiceAccount, name: pets}]
---
apiVersion: v1
kind: List
items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: results}, data: {a: "1"}}]
"""
CLUSTER_WIDE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: pets}
roleRef: {kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: pets, namespace: cl}]
"""
HEALTH = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: pets}
rules: [{nonResourceURLs: [/healthz], verbs: [get]}]
"""
DEFECTS = {
    "another version": ("ServiceAccount", "apiVersion: v2", "apiVersion: v1", "is of v1"),
    "no name": ("ServiceAccount", "metadata: {}", "metadata: {name: pets}", "has a name"),
    "a name with capitals": ("ServiceAccount", "{name: Pets}", "{name: pets}", "not a Kubernetes name"),
    "a name with a slash": ("Role", "a/b", "pets:reader", "no part of a path"),
    "no verbs": ("Role", "verbs: []", "verbs: [list]", "has verbs"),
    "no group": ("Role", "resources: [pods]", 'apiGroups: [""], resources: [pods]', "has apiGroups"),
    "no resources": ("Role", "resources: pods", "resources: [pods]", "has resources"),
    "rules of another kind": ("Role", "rules: {a: 1}\nx: [{", "rules: [{", "rules are a list"),
    "URLs in a namespace": ("Role", "nonResourceURLs: [/x]", "resources: [pods]", "only a ClusterRole"),
    "a role of another kind": ("RoleBinding", "kind: Rule, name", "kind: Role, name", "names one ClusterRole or Role"),
    "another group": ("RoleBinding", "apiGroup: rbac,", "apiGroup: rbac.authorization.k8s.io,", "not rbac"),
    "an unknown subject": ("RoleBinding", "{kind: Account,", "{kind: ServiceAccount,", "a subject is"),
    "a number": ("List", "{a: 1}", '{a: "1"}', "in quotes"),
    "a key with signs": ("List", '{"a/b": x}', '{a: "1"}', "can be no key"),
}


def errors(found):
    return [one for one in found if one.is_error]


@pytest.mark.parametrize("judge", [argo, kubeflow])
@pytest.mark.parametrize("text", [RIGHTS, CLUSTER_WIDE, HEALTH])
def test_what_is_correct_is_quiet(judge, text):
    assert list(judge(text, "access.yaml")) == []


@pytest.mark.parametrize("judge", [argo, kubeflow])
@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_an_error_with_its_line(judge, name):
    kind, wrong, right, said = DEFECTS[name]
    parts = RIGHTS.split("---")
    (index,) = [number for number, part in enumerate(parts) if f"kind: {kind}\n" in part]
    assert right in parts[index]
    parts[index] = parts[index].replace(right, wrong)
    found = errors(judge("---".join(parts), "access.yaml"))
    assert any(said in one.message for one in found), [one.message for one in found]
    assert all(one.code == "CLS511" and one.span.line > 1 for one in found)


def test_a_subject_of_the_whole_cluster_has_a_namespace():
    (found,) = errors(argo(CLUSTER_WIDE.replace(", namespace: cl", ""), "access.yaml"))
    assert "of a namespace" in found.message


def test_rights_to_everything_are_a_warning():
    text = RIGHTS.replace("verbs: [list]", "verbs: ['*']")
    for judge in (argo, kubeflow):
        (found,) = judge(text, "access.yaml")
        assert (found.code, found.is_error, found.where) == ("CLS512", False, "rules.0.verbs")


@pytest.mark.parametrize("text", ["kind: Deployment\n", "a: 1\n", "", "kind: List\nitems: [{kind: Pod}]\n"])
@pytest.mark.parametrize("judge", [argo, kubeflow])
def test_a_file_of_something_else_does_not_pass(judge, text):
    assert len(errors(judge(text, "x.yaml"))) == 1
    assert not kubernetes.is_one(yaml.safe_load(text) or {})


def test_rights_in_the_file_of_a_pipeline_are_an_error():
    from clspec_kfp import Options, backend

    (text,) = [text for name, text in backend.emit(plan(), Options()).items() if name == "regression.yaml"]
    assert any("skips such a document" in one.message for one in errors(kubeflow(f"{text}---{RIGHTS}", "x.yaml")))


GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
WRITTEN = sorted(
    path for path in GOLDENS.rglob("*.yaml") if path.name.startswith("access.") or path.name.endswith(".results.yaml")
)


def test_what_clspec_writes_beside_a_targets_objects_is_quiet():
    judges = {"argo": argo, "argo-with-store": argo, "kfp": kubeflow}
    found = {path: list(judges[path.parent.name](path.read_text(), path.name)) for path in WRITTEN}
    assert [path for path, told in found.items() if told] == []
    assert {path.parent.name for path in WRITTEN} == judges.keys()
