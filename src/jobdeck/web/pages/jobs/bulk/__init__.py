"""Operations on many jobs."""
