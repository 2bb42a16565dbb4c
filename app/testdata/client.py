"""Walks through a project's life with python-gitlab: project, file, variable, pipeline, job, trace, artifact, runner."""
import sys
import time

import gitlab

url, token = sys.argv[1:]
gl = gitlab.Gitlab(url, private_token=token)
gl.auth()
assert gl.user.username == "root"
version, _ = gl.version()
assert len(version.split(".")) == 3, version

project = gl.projects.create({"name": "snake"})
assert gl.projects.get("root/snake").id == project.id
assert [p.id for p in gl.projects.list(iterator=True, owned=True)] == [project.id]
project.description = "crawls"
project.save()
assert gl.projects.get(project.id).description == "crawls"

config = """
build:
  script: [mkdir out, "echo hello $NAME > out/hello.txt", cat out/hello.txt]
  artifacts: {paths: [out]}
hand:
  script: [echo by hand]
  when: manual
"""
project.variables.create({"key": "NAME", "value": "world", "environment_scope": "*"})
variable = project.variables.get("NAME", filter={"environment_scope": "*"})
variable.value = "snakes"
variable.save(filter={"environment_scope": "*"})
assert [v.value for v in project.variables.list(iterator=True)] == ["snakes"]

f = project.files.create({
    "file_path": ".gitlab-ci.yml", "branch": "main", "content": config,
    "commit_message": "Add pipeline [skip ci]",
})
assert project.files.get(".gitlab-ci.yml", ref="main").decode().decode() == config
assert project.files.raw(file_path=".gitlab-ci.yml", ref="main").decode() == config
assert [c.title for c in project.commits.list(iterator=True)] == ["Add pipeline [skip ci]"]
assert [b.name for b in project.branches.list(iterator=True)] == ["main"]
assert [e["path"] for e in project.repository_tree(iterator=True)] == [".gitlab-ci.yml"]
assert project.repository_archive(format="zip")[:2] == b"PK"
assert project.ci_lint.validate({"content": config}) is None

pipeline = project.pipelines.create({"ref": "main", "variables": [{"key": "X", "value": "1"}]})
for _ in range(300):
    pipeline.refresh()
    if pipeline.status in ("manual", "success", "failed"):
        break
    time.sleep(0.1)
assert pipeline.status in ("manual", "success"), pipeline.status
jobs = {j.name: j for j in pipeline.jobs.list(iterator=True)}
assert set(jobs) == {"build", "hand"}
job = project.jobs.get(jobs["build"].id)
assert b"hello snakes" in job.trace()
assert job.artifacts()[:2] == b"PK"
assert job.artifact("out/hello.txt") == b"hello snakes\n"
job.keep_artifacts()
project.jobs.get(jobs["hand"].id).play()
assert project.pipelines.get(pipeline.id).variables.list(get_all=True)[0].key == "X"
retried = job.retry()
assert retried["id"] != job.id
assert [j.status for j in project.jobs.list(scope=["success", "failed"], iterator=True)] is not None
pipeline.cancel()

runner = gl.user.runners.create({"runner_type": "instance_type", "tag_list": ["snake"]}) if hasattr(gl.user, "runners") else None
made = gl.http_post("/user/runners", post_data={"runner_type": "project_type", "project_id": project.id, "tag_list": ["snake"]})
runner = gl.runners.get(made["id"])
assert runner.tag_list == ["snake"]
runner.description = "a snake"
runner.save()
assert "a snake" in [r.description for r in project.runners.list(iterator=True)]
gl.runners.verify(made["token"])
runner.delete()

group = gl.groups.create({"name": "Zoo", "path": "zoo"})
member = group.members.list(iterator=True).next()
assert member.username == "root" and member.access_level == gitlab.const.AccessLevel.OWNER
try:
    gl.projects.get("root/nothing")
    raise SystemExit("a project that is not there was found")
except gitlab.exceptions.GitlabGetError as e:
    assert e.response_code == 404
project.delete()
group.delete()
print("all done")
