//! A cheap hash: the same row and field always give the same number.

/// Spreads a number over all 64 bits.
pub(super) fn mix(number: u64) -> u64 {
    const MULTIPLIER: u64 = 0xd6e8_feb8_6659_fd93;
    let number = (number ^ (number >> 32)).wrapping_mul(MULTIPLIER);
    let number = (number ^ (number >> 32)).wrapping_mul(MULTIPLIER);
    number ^ (number >> 32)
}

/// A number below `limit`, which is not 0, from the high bits of a hash.
pub(super) fn below(hash: u64, limit: u64) -> u64 {
    ((u128::from(hash) * u128::from(limit)) >> 64) as u64
}

/// One of `choices`, which are not empty.
pub(super) fn choose<T: Copy>(hash: u64, choices: &[T]) -> T {
    choices[below(hash, choices.len() as u64) as usize]
}
