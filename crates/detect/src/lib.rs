//! Learns what is normal for a machine, scores what is not, and says why. Pure: no input or output, no clock.
