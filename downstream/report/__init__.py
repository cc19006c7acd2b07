"""The transfer report: what a frozen encoder's vectors are worth for the user's own labels."""

from downstream.report.evidence import evidence
from downstream.report.report import TransferReport
from downstream.report.study import Study

__all__ = ["Study", "TransferReport", "evidence"]
