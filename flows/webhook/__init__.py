"""Webhooks: who may ask for a refresh from outside."""
