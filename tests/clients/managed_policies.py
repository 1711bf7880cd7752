"""AWS's own managed policies, from the data that the pinned moto carries, as one JSON object.

Only the one file with the data is read: nothing of moto runs, and nothing else of it is needed.
"""

import json
import runpy
import sys


def main() -> None:
    data = runpy.run_path(f"{sys.argv[1]}/moto/iam/aws_managed_policies.py")
    policies = json.loads(data["aws_managed_policies_data"])
    json.dump({name: policy["Document"] for name, policy in policies.items()}, sys.stdout)


main()
