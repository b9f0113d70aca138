import time
def test_first(account, deployed) -> None:
    t=time.time(); p=deployed.plan(); print("plan", time.time()-t, p.changes)
    t=time.time(); p=deployed.deploy(); print("deploy", time.time()-t, p)
    assert 0
