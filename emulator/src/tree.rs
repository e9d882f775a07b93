//! Loads sObject tree files: records with reference ids, and plans that name several files.
