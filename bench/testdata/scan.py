"""Reads events of an index with helpers.scan, once for each line of the standard input, and prints what it read and how long it took.

Arguments: product (elasticsearch or opensearch), address, index, fields with commas between, and where from: _source, or docvalue_fields
for the values that the cluster keeps by column. The interpreter, the modules and the
connection are warm before the clock runs.
"""

import json
import sys
import time


def connect(product, address):
    if product == "opensearch":
        from opensearchpy import OpenSearch, helpers

        return OpenSearch(address), helpers
    from elasticsearch import Elasticsearch, helpers

    return Elasticsearch(address), helpers


def main():
    product, address, index, fields, where = sys.argv[1:6]
    by_value = where == "docvalue_fields"
    client, helpers = connect(product, address)
    query = {"query": {"match_all": {}}, where: fields.split(",")}
    if by_value:
        query |= {"_source": False, "stored_fields": "_none_"}
    for _ in sys.stdin:
        rows, times = 0, 0
        began = time.perf_counter()
        for hit in helpers.scan(client, index=index, query=query, size=10_000):
            rows += 1
            at = hit["fields"]["time"][0] if by_value else hit["_source"]["time"]
            times += at % 1_000_003
        took = time.perf_counter() - began
        print(json.dumps({"rows": rows, "times": times, "seconds": took}), flush=True)


main()
