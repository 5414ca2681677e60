"""The parts of Kubeflow's own SDK that judge what clspec emits."""

import types
import warnings

import pytest


def load():
    """The parts of the SDK that judge us; it is 116 MB and an extra, so that it may be absent."""
    need = pytest.importorskip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports warn of deprecations in theirs
        return types.SimpleNamespace(
            compiler=need("kfp.compiler", reason="the SDK is not installed (extra `kfp`)"),
            components=need("kfp.components"),
            dsl=need("kfp.dsl"),
            kubernetes=need("kfp.kubernetes", reason="kfp-kubernetes is not installed (extra `kfp`)"),
            local=need("kfp.local"),
            server=need("kfp_server_api"),
            parse=need("google.protobuf.json_format").ParseDict,
            pod=need("kfp.kubernetes.kubernetes_executor_config_pb2"),
            spec=need("kfp.pipeline_spec.pipeline_spec_pb2"),
            orchestrator=need("kfp.local.orchestrator.enhanced_dag_orchestrator"),
        )


def parse_strictly(kfp, documents):
    """Every protobuf parser that has a say; an unknown key or a wrong type raises."""
    spec, *platform = documents
    kfp.parse(spec, kfp.spec.PipelineSpec())
    kfp.parse(spec["deploymentSpec"], kfp.spec.PipelineDeploymentConfig())
    for other in platform:
        kfp.parse(other, kfp.spec.PlatformSpec())
        for config in other["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
            kfp.parse(config, kfp.pod.KubernetesExecutorConfig())
