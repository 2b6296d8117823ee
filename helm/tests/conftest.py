"""The chart as `helm` renders it, once for each documented install."""

from functools import cache

from helm import rendered as chart


@cache
def rendered(install):
    """The text of all objects of an install."""
    done = chart.template(chart.INSTALLS[install])
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(install):
    """The objects of an install."""
    return chart.objects(rendered(install))


def pods(install):
    """Name of the object, and the pod's spec, of all that runs."""
    for one in objects(install):
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield name, one["spec"]["template"]["spec"]
        elif one["kind"] == "Pod":
            yield name, one["spec"]
