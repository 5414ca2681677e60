"""Argo manifests of all sorts that are right, each from a number: what a judge must let pass."""

import random

IMAGE = "registry.example.com/tool@sha256:" + "0f" * 32
TYPES = ("container", "script", "resource", "suspend", "http", "containerSet", "data")


def manifest(number):
    """A right manifest; the same for the same number."""
    chance = random.Random(number)
    kind = chance.choice(("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"))
    spec = workflow(chance)
    name = {"generateName": "made-"} if kind == "Workflow" and chance.random() < 0.5 else {"name": f"made-{number}"}
    metadata = {**name, "labels": {"team": "a"}, "annotations": {"note": "{{ not a tag }}"}}
    if kind == "CronWorkflow":
        cron = {"schedules": chance.sample(["0 2 * * *", "*/5 * * * 1-5", "@daily", "30 4 1,15 * *"], 2)}
        cron |= some(chance, timezone="Europe/Berlin", concurrencyPolicy="Replace", startingDeadlineSeconds=60)
        cron |= some(chance, suspend=True, successfulJobsHistoryLimit=2, workflowMetadata={"labels": {"a": "b"}})
        spec = {**cron, "workflowSpec": spec}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def some(chance, **parts):
    """Some of these."""
    return {key: value for key, value in parts.items() if chance.random() < 0.4}


def workflow(chance):
    leaves = [leaf(chance, index) for index in range(chance.randint(2, 5))]
    flow = chance.choice((dag, steps))(chance, leaves)
    made = {
        "entrypoint": "flow",
        "arguments": {
            "parameters": [{"name": "size", "value": "1", "enum": ["1", "2"]}, {"name": "who", "value": "x"}]
        },
        "volumes": [{"name": "work", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "c", "optional": True}}],
        "templates": [flow, *leaves, {"name": "last", "container": {"image": IMAGE, "command": ["true"]}}],
    }
    made |= some(chance, onExit="last", serviceAccountName="sa", parallelism=3, activeDeadlineSeconds=3600, priority=1)
    made |= some(chance, podGC={"strategy": "OnPodCompletion", "deleteDelayDuration": "30s"}, suspend=False)
    made |= some(chance, ttlStrategy={"secondsAfterCompletion": 60, "secondsAfterFailure": 600})
    made |= some(
        chance, securityContext={"runAsNonRoot": True, "fsGroup": 1000}, hostNetwork=False, dnsPolicy="Default"
    )
    made |= some(
        chance, artifactRepositoryRef={"configMap": "repo", "key": "s3"}, archiveLogs=True, podPriorityClassName="p"
    )
    made |= some(chance, synchronization={"mutexes": [{"name": "one"}]}, nodeSelector={"pool": "cpu"})
    made |= some(chance, hooks={"exit": {"template": "last"}, "run": {"template": "last", "expression": "true"}})
    made |= some(chance, tolerations=[{"key": "gpu", "operator": "Exists"}], imagePullSecrets=[{"name": "pull"}])
    made |= some(chance, metrics={"prometheus": [{"name": "runs", "help": "how many", "counter": {"value": "1"}}]})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return made | some(chance, volumeClaimTemplates=[{"metadata": {"name": "claim"}, "spec": claim}])


def call(chance, name, template, earlier, flow):
    made = {"name": name, "template": template["name"]}
    values = ["plain", "{{workflow.parameters.size}}", "{{workflow.name}}-{{workflow.uid}}"]
    giving = [n for n, t in earlier if any(o["name"] == "said" for o in t.get("outputs", {}).get("parameters", ()))]
    values += [f"{{{{{flow}.{n}.outputs.parameters.said}}}}" for n in giving]
    looped = chance.random() < 0.2
    if looped:
        made |= chance.choice(
            ({"withItems": ["a", "b"]}, {"withItems": [1, 2]}, {"withParam": '["a"]'}, {"withSequence": {"count": "3"}})
        )
        values.append("{{item}}")
    if template.get("inputs", {}).get("parameters"):
        made["arguments"] = {"parameters": [{"name": "text", "value": chance.choice(values)}]}
    if giving and not looped and chance.random() < 0.4:
        made["when"] = f"'{{{{{flow}.{giving[0]}.outputs.parameters.said}}}}' == 'yes'"
    return made, looped


def dag(chance, leaves):
    tasks, earlier = [], []
    for index, template in enumerate(leaves):
        name = f"task-{index}"
        task, looped = call(chance, name, template, earlier, "tasks")
        if tasks:
            # all earlier ones, so that whatever is referred to is over
            needed = " && ".join(f"({t['name']}.Succeeded || {t['name']}.Skipped)" for t in tasks)
            task["depends"] = needed
            if any("withItems" in t for t in tasks) and chance.random() < 0.5:
                last = next(t for t in tasks if "withItems" in t)
                task["depends"] += f" || {last['name']}.AnySucceeded"
        tasks.append(task)
        if not looped:
            earlier.append((name, template))
    return {"name": "flow", "dag": {"tasks": tasks, **some(chance, failFast=False, target=tasks[-1]["name"])}}


def steps(chance, leaves):
    rows, earlier = [], []
    for index, template in enumerate(leaves):
        step, looped = call(chance, f"step-{index}", template, earlier, "steps")
        rows.append([step])
        if not looped:
            earlier.append((step["name"], template))
    return {"name": "flow", "steps": rows}


def leaf(chance, index):
    kind = chance.choice(TYPES)
    made = {"name": f"leaf-{index}"}
    if kind in ("container", "script", "http"):
        made |= some(chance, inputs={"parameters": [{"name": "text"}, {"name": "more", "default": "d"}]})
    made |= {kind: body(chance, kind, bool(made.get("inputs")))}
    if kind in ("container", "script"):
        made |= some(chance, outputs=outputs(chance))
        made |= some(
            chance,
            retryStrategy=retry(chance),
            activeDeadlineSeconds=chance.choice((60, "60", "{{workflow.parameters.size}}")),
        )
        made |= some(chance, nodeSelector={"zone": "a"}, affinity={"nodeAffinity": {}}, priorityClassName="p")
        made |= some(chance, sidecars=[{"name": "beside", "image": IMAGE, "command": ["sleep"], "args": ["1"]}])
        made |= some(
            chance, initContainers=[{"name": "before", "image": IMAGE}], synchronization={"mutexes": [{"name": "m"}]}
        )
        made |= some(chance, metadata={"labels": {"a": "b"}}, daemon=False, serviceAccountName="x", timeout="1h")
        if "retryStrategy" not in made:
            made |= some(
                chance,
                memoize={
                    "key": "k-{{workflow.parameters.size}}",
                    "maxAge": "1h",
                    "cache": {"configMap": {"name": "c"}},
                },
            )
    return made


def retry(chance):
    made = {"limit": chance.choice((2, "2", "{{workflow.parameters.size}}"))}
    made |= some(chance, retryPolicy="Always", expression="asInt(lastRetry.exitCode) > 1")
    return made | some(chance, backoff={"duration": chance.choice(("1m", "30")), "factor": chance.choice((2, "2"))})


def outputs(chance):
    said = {"name": "said", "valueFrom": {"path": "/tmp/said", "default": "no"}}
    key = {"name": "file", "path": "/tmp/file", "archive": {"none": {}}, "s3": {"key": "a/{{workflow.uid}}/file"}}
    return {"parameters": [said], **some(chance, artifacts=[key], exitCode="0")}


def body(chance, kind, told):  # noqa: PLR0911  # one for each type
    text = "{{inputs.parameters.text}}" if told else "hello"
    if kind == "container":
        limits = {"cpu": chance.choice((1, "500m")), "memory": "1Gi", "nvidia.com/gpu": chance.choice((1, "1"))}
        made = {"image": IMAGE, "command": ["echo"], "args": [text, "{{pod.name}}"]}
        made |= some(chance, resources={"limits": limits}, workingDir="/work", imagePullPolicy="IfNotPresent", tty=True)
        made |= some(chance, volumeMounts=[{"name": "work", "mountPath": "/work", "readOnly": True}])
        made |= some(
            chance,
            env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        )
        made |= some(chance, envFrom=[{"secretRef": {"name": "s"}}], ports=[{"containerPort": 80}])
        made |= some(
            chance, readinessProbe={"httpGet": {"path": "/", "port": chance.choice((80, "http"))}, "periodSeconds": 5}
        )
        return made | some(chance, securityContext={"privileged": False, "capabilities": {"drop": ["ALL"]}})
    if kind == "script":
        return {"image": IMAGE, "command": ["sh"], "source": f"echo '{text}'", **some(chance, workingDir="/w")}
    if kind == "resource":
        made = {"action": chance.choice(("create", "apply", "get")), "manifest": "apiVersion: v1\nkind: ConfigMap\n"}
        return made | some(
            chance, successCondition="status.succeeded > 0", setOwnerReference=True, flags=["--validate=false"]
        )
    if kind == "suspend":
        return some(chance, duration=chance.choice(("20", "1h")))
    if kind == "http":
        return {"url": f"https://example.com/?q={text}", **some(chance, method="POST", timeoutSeconds=20, body="{}")}
    if kind == "containerSet":
        one = {"name": "a", "image": IMAGE, "command": ["true"]}
        return {"containers": [one, {**one, "name": "b", "dependencies": ["a"]}]}
    path = {"artifactPaths": {"name": "p", "s3": {"bucket": "b", "key": "k"}}}
    return {"source": path, "transformation": [{"expression": "filter(data, {# endsWith 'x'})"}]}
