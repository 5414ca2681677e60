"""`clspec lint-manifest`: manifests from anywhere."""

import subprocess
import sys

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {image: "busybox:1.36", command: [echo, hello]}
"""


def lint(tmp_path, text, target="argo", name="flow.yaml"):
    (tmp_path / "flow.yaml").write_text(text)
    words = ["lint-manifest", "--target", target, str(tmp_path / name)]
    done = subprocess.run([sys.executable, "-m", "clspec", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_argo_takes_is_no_error(tmp_path):
    code, said = lint(tmp_path, GOOD)
    assert (code, "error" in said) == (0, False)


def test_what_argo_refuses_is_named_with_its_line(tmp_path):
    code, said = lint(tmp_path, GOOD.replace("entrypoint: main", "entrypoint: mian"))
    assert code == 1
    assert "flow.yaml:5:" in said
    assert "CLS511" in said


def test_a_target_without_judgement_and_a_file_that_is_not_there_are_wrong_use(tmp_path):
    assert lint(tmp_path, GOOD, target="local") == (2, "clspec: target `local` judges no manifests\n")
    code, said = lint(tmp_path, GOOD, name="other.yaml")
    assert (code, "No such file" in said) == (2, True)
