"""RFC 9457: what every refusal must look like."""


def assert_problem(answer, *statuses):
    """A problem document with one of these statuses and a detail that says something; gives the document."""
    assert answer.status in statuses, f"wanted {statuses}, got {answer!r}"
    assert answer.headers.get("Content-Type", "").split(";")[0].strip() == "application/problem+json", answer.headers
    problem = answer.json()
    assert problem["status"] == answer.status, problem
    assert isinstance(problem["title"], str) and problem["title"].strip(), problem
    assert isinstance(problem["detail"], str) and len(problem["detail"].strip()) > 10, problem
    assert problem["detail"] != problem["title"], problem
    return problem
