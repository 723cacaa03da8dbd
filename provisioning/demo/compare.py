"""Compares what was sent with what stands in a PACS, with pydicom: an eye that is not Hilum's own.

usage: compare.py SENT_FOLDER RECEIVED_FOLDER
Prints one JSON object: objects compared, bytes of pixel data found identical, attributes that reconciliation changed,
and every other difference. Exit status 0 only if there is none.
"""
import json
import os
import sys
import warnings

import pydicom

warnings.simplefilter("ignore")

# What reconciliation may change (PS3.3 C.7.1.1 and C.12.1): the local identifiers, and the record of the old ones.
RECONCILED = {0x00100020: "PatientID", 0x00100021: "IssuerOfPatientID", 0x04000561: "OriginalAttributesSequence"}
PIXELS = (0x7FE00010, 0x7FE00008, 0x7FE00009)


def read(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        dataset = pydicom.dcmread(os.path.join(folder, name), force=True)
        found[str(dataset.SOPInstanceUID)] = dataset
    return found


def raw(dataset, tag):
    element = dataset.get_item(tag)
    return None if element is None else element.value


def main():
    sent, received = read(sys.argv[1]), read(sys.argv[2])
    differences = ["an object is missing"] * len(sent.keys() - received.keys())
    differences += ["an object too many"] * len(received.keys() - sent.keys())
    pixel_bytes, reconciled = 0, set()
    for uid in sent.keys() & received.keys():
        before, after = sent[uid], received[uid]
        if before.file_meta.TransferSyntaxUID != after.file_meta.TransferSyntaxUID:
            differences.append("another transfer syntax")
        for tag in PIXELS:
            if raw(before, tag) != raw(after, tag):
                differences.append("other pixel data at %08x" % tag)
            elif raw(before, tag) is not None:
                pixel_bytes += len(raw(before, tag))
        for tag in {int(t) for t in before.keys()} | {int(t) for t in after.keys()}:
            if tag in PIXELS:
                continue
            same = tag in before and tag in after and before[tag] == after[tag]
            if tag in RECONCILED:
                if not same:
                    reconciled.add(RECONCILED[tag])
            elif not same:
                differences.append("another value at %08x" % tag)
    print(json.dumps({
        "objects": len(sent.keys() & received.keys()),
        "pixelBytes": pixel_bytes,
        "reconciled": sorted(reconciled),
        "patientIds": sorted({str(d.PatientID) for d in received.values()}),
        "differences": differences,
    }))
    return 1 if differences else 0


sys.exit(main())
