"""Forms made from JSON schemas: schema → fields → a draft that people edit → the value again, and nothing lost."""
