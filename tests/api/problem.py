"""RFC 9457: the required form of every refusal."""


def assert_problem(answer, *statuses):
    """Checks a problem document with one of these statuses and a detail; returns the document."""
    assert answer.status in statuses, f"wanted {statuses}, got {answer!r}"
    assert answer.headers.get("Content-Type", "").split(";")[0].strip() == "application/problem+json", answer.headers
    problem = answer.json()
    assert problem["status"] == answer.status, problem
    assert isinstance(problem["title"], str) and problem["title"].strip(), problem
    assert isinstance(problem["detail"], str) and len(problem["detail"].strip()) > 10, problem
    assert problem["detail"] != problem["title"], problem
    return problem
